//! When something happens in a run: at the end of each epoch, every so many steps, or never.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The values of transformers' `eval_strategy`, `save_strategy` and `logging_strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntervalStrategy {
    /// Never.
    No,
    /// Every so many optimizer steps, and after the last.
    Steps,
    /// At the end of each epoch, and after the last step.
    Epoch,
}

impl fmt::Display for IntervalStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::No => "no",
            Self::Steps => "steps",
            Self::Epoch => "epoch",
        })
    }
}

impl FromStr for IntervalStrategy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "no" => Ok(Self::No),
            "steps" => Ok(Self::Steps),
            "epoch" => Ok(Self::Epoch),
            _ => Err(format!(
                "\"{text}\" is no interval; expected no, steps or epoch"
            )),
        }
    }
}

/// A point of a run at which something may be due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Optimizer steps done.
    pub step: u64,
    /// Whether the step was the last of its epoch.
    pub epoch_ends: bool,
    /// Whether the run ends here.
    pub last: bool,
}

impl IntervalStrategy {
    /// Whether it is due at `moment`, with `every` steps between for [`Steps`](Self::Steps).
    pub fn is_due(self, every: u64, moment: Moment) -> bool {
        match self {
            Self::No => false,
            Self::Steps => moment.last || moment.step.is_multiple_of(every),
            Self::Epoch => moment.last || moment.epoch_ends,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_and_not() {
        let at = |step, epoch_ends, last| Moment {
            step,
            epoch_ends,
            last,
        };
        let due = |strategy: IntervalStrategy, moment| strategy.is_due(4, moment);
        assert!(due(IntervalStrategy::Steps, at(8, false, false)));
        assert!(!due(IntervalStrategy::Steps, at(9, true, false)));
        assert!(due(IntervalStrategy::Steps, at(9, false, true)));
        assert!(due(IntervalStrategy::Epoch, at(9, true, false)));
        assert!(!due(IntervalStrategy::Epoch, at(8, false, false)));
        assert!(due(IntervalStrategy::Epoch, at(8, false, true)));
        assert!(!due(IntervalStrategy::No, at(8, true, true)));
    }
}
