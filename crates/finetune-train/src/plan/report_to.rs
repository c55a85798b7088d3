//! Where the progress of a run is reported.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Where a run is reported besides its event log: transformers' `report_to`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportTo {
    /// TensorBoard's event files, in `RUN/tensorboard`.
    #[default]
    Tensorboard,
    /// Nowhere.
    None,
}

impl fmt::Display for ReportTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tensorboard => "tensorboard",
            Self::None => "none",
        })
    }
}

impl FromStr for ReportTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "tensorboard" => Ok(Self::Tensorboard),
            "none" => Ok(Self::None),
            _ => Err(format!(
                "\"{text}\" is not known; expected tensorboard or none"
            )),
        }
    }
}
