//! torch's `StepLR` and `ExponentialLR`.

use crate::{Epochs, ScheduleConfig, StepUnit};

/// A learning rate that is multiplied by a factor again and again. Time is counted from the end of the
/// warm-up, as by torch's `SequentialLR`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stepped {
    gamma: f64,
    /// Epochs or steps between two falls.
    size: f64,
    unit: StepUnit,
    warmup_steps: u64,
    epochs: Epochs,
}

impl Stepped {
    /// torch's default factor of `StepLR`.
    const GAMMA: f64 = 0.1;

    /// `exponential` is `step` with a size of 1.
    pub(super) fn new(config: &ScheduleConfig, size: f64, warmup_steps: u64, total: u64) -> Self {
        Self {
            gamma: config.gamma.unwrap_or(Self::GAMMA),
            size,
            unit: config.step_unit,
            warmup_steps,
            epochs: Epochs::Even(total),
        }
    }

    pub(super) fn set_epochs(&mut self, epochs: Epochs) {
        self.epochs = epochs;
    }

    /// Returns the rate of a step after the warm-up as a fraction of the peak.
    pub(super) fn factor(&self, step: u64) -> f64 {
        let time = |step| match self.unit {
            StepUnit::Steps => step as f64,
            StepUnit::Epochs => self.epochs.done(step),
        };
        let periods = (time(step) - time(self.warmup_steps)) / self.size;
        // Thirds of an epoch are not exact: a period that is over must not round down.
        self.gamma.powf((periods + 1e-9).floor())
    }
}
