//! How long a run is.

use std::num::NonZeroU64;

use crate::{TrainError, plan::stored::Stored};

/// More than this no run takes; the products of such numbers would not fit into integers.
pub(crate) const MOST_EPOCHS: f64 = 1e6;

/// How long a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RunLength {
    /// So many passes over the training rows; need not be whole.
    Epochs(f64),
    /// So many optimizer steps.
    Steps(NonZeroU64),
}

impl Default for RunLength {
    fn default() -> Self {
        Self::Epochs(Self::EPOCHS)
    }
}

impl RunLength {
    /// Epochs where nothing is said.
    const EPOCHS: f64 = 3.0;
}

/// `epochs` and `max_steps`, which counts unless it is 0.
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
            // What does not count is no reason to take what nobody can mean.
            Some(steps) => match check_epochs(epochs) {
                Ok(()) => Ok(Self::Steps(steps)),
                Err(error) => Err(error.to_string()),
            },
        }
    }
}

/// Refuses what is no number of epochs, whether it counts or not.
pub(crate) fn check_epochs(epochs: f64) -> Result<(), TrainError> {
    let expected = match epochs.is_nan() {
        true => "a number above 0".into(),
        false if epochs > MOST_EPOCHS => format!("at most {MOST_EPOCHS}"),
        false => return Ok(()),
    };
    Err(TrainError::Value {
        key: "epochs",
        found: epochs.to_string(),
        expected,
    })
}
