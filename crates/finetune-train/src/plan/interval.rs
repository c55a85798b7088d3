//! When something happens in a run: at the end of each epoch, every so many steps, or never.

use std::{fmt, num::NonZeroU64, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::plan::stored::Stored;

/// The values of transformers' `eval_strategy`, `save_strategy` and `logging_strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntervalStrategy {
    /// Never.
    No,
    /// Every given number of optimizer steps, and after the last one.
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
                "\"{text}\" is not an interval; expected no, steps or epoch"
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

/// When something happens in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    /// Never.
    No,
    /// At the end of each epoch, and after the last step.
    Epoch,
    /// Every given number of optimizer steps, and after the last one.
    Steps(NonZeroU64),
}

impl Interval {
    /// Returns whether something with this interval is due at `moment`.
    pub fn is_due(self, moment: Moment) -> bool {
        match self {
            Self::No => false,
            Self::Steps(every) => moment.last || moment.step.is_multiple_of(every.get()),
            Self::Epoch => moment.last || moment.epoch_ends,
        }
    }

    /// Returns the value for transformers' `eval_strategy` and similar options.
    pub fn strategy(self) -> IntervalStrategy {
        match self {
            Self::No => IntervalStrategy::No,
            Self::Steps(_) => IntervalStrategy::Steps,
            Self::Epoch => IntervalStrategy::Epoch,
        }
    }
}

/// The pair `eval_strategy` and `eval_steps`, and similar ones; the number applies to `steps` only.
impl Stored<(IntervalStrategy, u64)> for Interval {
    fn into_file(self) -> (IntervalStrategy, u64) {
        let steps = match self {
            Self::Steps(every) => every.get(),
            Self::No | Self::Epoch => 0,
        };
        (self.strategy(), steps)
    }

    fn from_file(
        (strategy, steps): (IntervalStrategy, u64),
        keys: &[&str],
    ) -> Result<Self, String> {
        match strategy {
            IntervalStrategy::No => Ok(Self::No),
            IntervalStrategy::Epoch => Ok(Self::Epoch),
            IntervalStrategy::Steps => match NonZeroU64::new(steps) {
                Some(every) => Ok(Self::Steps(every)),
                None => Err(match keys {
                    [strategy, steps] => {
                        format!("{steps} is 0; expected at least 1 with {strategy} = steps")
                    }
                    _ => "an interval of 0 steps; expected at least 1".into(),
                }),
            },
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
        let steps = Interval::Steps(NonZeroU64::new(4).unwrap());
        assert!(steps.is_due(at(8, false, false)));
        assert!(!steps.is_due(at(9, true, false)));
        assert!(steps.is_due(at(9, false, true)));
        assert!(Interval::Epoch.is_due(at(9, true, false)));
        assert!(!Interval::Epoch.is_due(at(8, false, false)));
        assert!(Interval::Epoch.is_due(at(8, false, true)));
        assert!(!Interval::No.is_due(at(8, true, true)));
    }
}
