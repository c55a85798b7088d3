//! The length of a run.

use std::num::NonZeroU64;

use crate::{TrainError, plan::stored::Stored};

/// Upper limit of the epochs. No run needs more, and products of larger values could overflow.
pub(crate) const MAX_EPOCHS: f64 = 1e6;

/// The length of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RunLength {
    /// Number of passes over the training rows, not necessarily whole.
    Epochs(f64),
    /// Number of optimizer steps.
    Steps(NonZeroU64),
}

impl Default for RunLength {
    fn default() -> Self {
        Self::Epochs(Self::EPOCHS)
    }
}

impl RunLength {
    /// Default number of epochs.
    const EPOCHS: f64 = 3.0;
}

/// `epochs`, and `max_steps`, which overrides it unless it is 0.
impl Stored<(f64, u64)> for RunLength {
    fn into_file(self) -> (f64, u64) {
        match self {
            Self::Epochs(epochs) => (epochs, 0),
            Self::Steps(steps) => (Self::EPOCHS, steps.get()),
        }
    }

    fn from_file((epochs, steps): (f64, u64), _: &[&str]) -> Result<Self, String> {
        match NonZeroU64::new(steps) {
            None => Ok(Self::Epochs(epochs)),
            // An overridden value must still be a possible one.
            Some(steps) => match check_epochs(epochs) {
                Ok(()) => Ok(Self::Steps(steps)),
                Err(error) => Err(error.to_string()),
            },
        }
    }
}

/// Refuses an impossible number of epochs, even if `max_steps` overrides it.
pub(crate) fn check_epochs(epochs: f64) -> Result<(), TrainError> {
    let expected = match epochs.is_nan() {
        true => "a number above 0".into(),
        false if epochs > MAX_EPOCHS => format!("at most {MAX_EPOCHS}"),
        false => return Ok(()),
    };
    Err(TrainError::Value {
        key: "epochs",
        found: epochs.to_string(),
        expected,
    })
}
