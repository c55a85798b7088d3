//! How a run ended, as its events and its results say it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// All steps of the plan are done.
    Completed,
    /// The metric got no better for as many evaluations as the plan allows.
    EarlyStopping,
    /// An observer asked for it, for this reason.
    Observer(String),
    /// It was interrupted, and can be resumed.
    Interrupted,
}

/// Why a run ended early.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EarlyStop {
    /// Steps done.
    pub step: u64,
    /// The metric.
    pub metric: String,
    /// Evaluations in a row without enough of an improvement.
    pub evaluations: u64,
    /// The best value of all; `None` where the metric was never defined.
    pub best_value: Option<f64>,
    /// Steps done then.
    pub best_step: Option<u64>,
}

impl fmt::Display for EarlyStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            step,
            metric,
            evaluations,
            ..
        } = self;
        let plural = if *evaluations == 1 { "" } else { "s" };
        write!(
            f,
            "stopped early after step {step}: no improvement of {metric} in {evaluations} evaluation{plural}"
        )?;
        match (self.best_value, self.best_step) {
            (Some(value), Some(best)) => write!(f, "; best {value:.4} at step {best}"),
            _ => write!(f, "; it was never defined"),
        }
    }
}

/// The best model of a run, whose checkpoint could not be used in the end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LostBest {
    /// Steps done by it.
    pub step: u64,
    /// Value of the metric.
    pub value: f64,
    /// What is wrong with its checkpoint.
    pub problem: String,
}
