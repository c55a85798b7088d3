//! Warm-up of the learning rate.

use std::num::NonZeroU64;

use crate::{SchedulerType, plan::stored::Stored};

/// The steps at the start of a run in which the learning rate rises.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Warmup {
    /// A fraction of the run's steps, from 0 (none) to 1.
    Ratio(f64),
    /// A number of steps. In a shorter run the rate rises until the end, as in transformers.
    Steps(NonZeroU64),
}

impl Default for Warmup {
    fn default() -> Self {
        Self::Ratio(0.1)
    }
}

impl Warmup {
    /// Returns the default before a schedule: none before torch's `StepLR` and `ExponentialLR`, so that
    /// settings that ran there give the same learning rates here.
    pub fn default_of(schedule: SchedulerType) -> Self {
        match schedule {
            SchedulerType::Step | SchedulerType::Exponential => Self::Ratio(0.0),
            _ => Self::default(),
        }
    }

    /// Returns the number of warm-up steps in a run of `total` steps.
    pub fn steps(self, total: u64) -> u64 {
        match self {
            Self::Ratio(ratio) => (total as f64 * ratio).ceil() as u64,
            Self::Steps(steps) => steps.get(),
        }
    }
}

/// `warmup_ratio`, and `warmup_steps`, which overrides it unless it is 0.
impl Stored<(f64, u64)> for Warmup {
    fn into_file(self) -> (f64, u64) {
        match self {
            Self::Ratio(ratio) => (ratio, 0),
            Self::Steps(steps) => (0.0, steps.get()),
        }
    }

    fn from_file((ratio, steps): (f64, u64), _: &[&str]) -> Result<Self, String> {
        Ok(NonZeroU64::new(steps).map_or(Self::Ratio(ratio), Self::Steps))
    }
}
