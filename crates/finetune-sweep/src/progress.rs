//! How far a trial has come, and how good it is.

use std::fmt;

use finetune_metrics::is_better;
use serde::Serialize;

/// How far a trial is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// This many optimizer steps.
    Steps(u64),
    /// This many epochs.
    Epochs(u64),
    /// To its end.
    Full,
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps(1) => f.write_str("1 step"),
            Self::Steps(steps) => write!(f, "{steps} steps"),
            Self::Epochs(1) => f.write_str("1 epoch"),
            Self::Epochs(epochs) => write!(f, "{epochs} epochs"),
            Self::Full => f.write_str("the end"),
        }
    }
}

/// An evaluation of the validation rows after a step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Optimizer steps done.
    pub step: u64,
    /// Epochs done.
    pub epoch: f64,
    /// Value of the objective, if it is defined.
    pub value: Option<f64>,
}

/// What the run of a trial says about itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunProgress {
    /// The metric that chooses its best model, which is the objective; empty before the run has begun.
    pub metric: String,
    /// Whether more of it is better.
    pub greater_is_better: bool,
    /// Whether the run keeps its best model rather than the last.
    pub keeps_best: bool,
    /// The evaluations after steps, in their order.
    pub evaluations: Vec<Evaluation>,
    /// Whether it is complete.
    pub is_complete: bool,
    /// Value of the objective for the kept model of a complete run.
    pub kept_value: Option<f64>,
    /// Value of the metric on the test rows of a complete run, if there are any.
    pub test_value: Option<f64>,
    /// Seconds of training.
    pub seconds: f64,
}

impl RunProgress {
    fn is_within(evaluation: &Evaluation, budget: Budget) -> bool {
        match budget {
            Budget::Steps(steps) => evaluation.step <= steps,
            // The epochs of a step are a quotient.
            Budget::Epochs(epochs) => evaluation.epoch <= epochs as f64 + 1e-9,
            Budget::Full => true,
        }
    }

    /// Returns whether the run has been evaluated at the end of `budget`, or has ended before.
    pub fn has_reached(&self, budget: Budget) -> bool {
        let last = self.evaluations.last();
        let beyond = |evaluation: &Evaluation| match budget {
            Budget::Steps(steps) => evaluation.step >= steps,
            Budget::Epochs(epochs) => evaluation.epoch >= epochs as f64 - 1e-9,
            Budget::Full => false,
        };
        self.is_complete || last.is_some_and(beyond)
    }

    /// Returns the objective of the model that the run would keep if it ended with `budget`.
    pub fn value_at(&self, budget: Budget) -> Option<f64> {
        if budget == Budget::Full && self.is_complete {
            return self.kept_value;
        }
        let within = self.evaluations.iter();
        let within = within.filter(|evaluation| Self::is_within(evaluation, budget));
        let mut values = within.filter_map(|evaluation| evaluation.value);
        match self.keeps_best {
            true => {
                values.reduce(
                    |best, value| match is_better(self.greater_is_better, value, best) {
                        true => value,
                        false => best,
                    },
                )
            }
            false => values.next_back(),
        }
    }

    /// Returns the steps and epochs up to the last evaluation.
    pub fn done(&self) -> (u64, f64) {
        let last = self.evaluations.last();
        last.map_or((0, 0.0), |last| (last.step, last.epoch))
    }
}

/// A trial as far as this process knows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrialState {
    /// What its run says; nothing before it has begun.
    pub progress: RunProgress,
    /// Why its process failed, if it did.
    pub failed: Option<String>,
}

impl TrialState {
    /// Returns whether the run has begun.
    pub fn has_begun(&self) -> bool {
        self.failed.is_some() || !self.progress.metric.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_that_of_the_model_that_would_be_kept() {
        let evaluation = |step, value| Evaluation {
            step,
            epoch: step as f64 / 10.0,
            value,
        };
        let mut run = RunProgress {
            greater_is_better: true,
            keeps_best: true,
            evaluations: vec![
                evaluation(10, Some(0.5)),
                evaluation(20, Some(0.7)),
                evaluation(30, None),
                evaluation(40, Some(0.6)),
            ],
            ..RunProgress::default()
        };
        assert_eq!(run.value_at(Budget::Steps(10)), Some(0.5));
        assert_eq!(run.value_at(Budget::Epochs(3)), Some(0.7));
        assert_eq!(run.value_at(Budget::Full), Some(0.7));
        assert_eq!(run.value_at(Budget::Steps(5)), None);
        assert!(run.has_reached(Budget::Steps(40)) && run.has_reached(Budget::Epochs(4)));
        assert!(!run.has_reached(Budget::Steps(41)) && !run.has_reached(Budget::Full));
        run.keeps_best = false;
        assert_eq!(run.value_at(Budget::Full), Some(0.6));
        (run.is_complete, run.kept_value) = (true, Some(0.65));
        assert_eq!(run.value_at(Budget::Full), Some(0.65));
        assert!(run.has_reached(Budget::Steps(1_000)));
    }
}
