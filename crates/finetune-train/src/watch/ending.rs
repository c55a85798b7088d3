//! How a run ended, as events and results report it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// All steps of the plan are done.
    Completed,
    /// The metric did not improve for as many evaluations as the plan allows.
    EarlyStopping,
    /// An observer requested it, for this reason.
    Observer(String),
    /// It was interrupted, and can be resumed.
    Interrupted,
    /// It came to the point at which it was to pause, and can be resumed.
    Paused,
}

impl StopReason {
    /// Returns whether only the session has ended, and the run can be resumed.
    pub fn is_resumable(&self) -> bool {
        matches!(self, Self::Interrupted | Self::Paused)
    }
}

/// The evaluation that stopped a run early.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EarlyStop {
    /// Optimizer steps done.
    pub step: u64,
    /// The metric.
    pub metric: String,
    /// Number of consecutive evaluations without sufficient improvement.
    pub evaluations: u64,
    /// The best value of the run; `None` if the metric was never defined.
    pub best_value: Option<f64>,
    /// Optimizer steps done when it was reached.
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

/// The best model of a run, if its checkpoint turned out to be unusable.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LostBest {
    /// Optimizer steps done by it.
    pub step: u64,
    /// Value of the metric.
    pub value: f64,
    /// What is wrong with its checkpoint.
    pub problem: String,
}
