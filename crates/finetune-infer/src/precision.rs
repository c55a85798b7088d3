//! Turns the name given to `--precision` into the precision of matrix multiplications.

use std::{fmt, str::FromStr};

use finetune_kernels::Precision;
use serde::{Deserialize, Serialize};

use crate::resolve_auto;

/// The precision that a user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrecisionChoice {
    /// f32 throughout.
    F32,
    /// Matrix multiplications of bf16 values, summed in f32.
    Bf16,
    /// bf16 where the processor multiplies it faster than f32. This is the default: over five seeds
    /// it cost no accuracy (docs/strategies.md).
    #[default]
    Auto,
}

impl PrecisionChoice {
    /// Resolves `auto` on this machine, for a model on the device of this name.
    pub fn resolve(self, device: &str) -> Precision {
        let is_cpu = matches!(resolve_auto(device).as_str(), "cpu" | "flex");
        match self {
            Self::F32 => Precision::F32,
            Self::Bf16 => Precision::Bf16,
            Self::Auto if is_cpu && Precision::bf16_is_fast() => Precision::Bf16,
            Self::Auto => Precision::F32,
        }
    }
}

impl fmt::Display for PrecisionChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Auto => "auto",
        })
    }
}

impl FromStr for PrecisionChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "f32" => Ok(Self::F32),
            "bf16" => Ok(Self::Bf16),
            "auto" => Ok(Self::Auto),
            _ => Err(format!(
                "\"{text}\" is not known; expected f32, bf16 or auto"
            )),
        }
    }
}

/// The name of a [`Precision`] in files, for `#[serde(with = …)]`.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Precision", rename_all = "lowercase")]
pub enum PrecisionName {
    /// f32 throughout.
    F32,
    /// Matrix multiplications of bf16 values, summed in f32.
    Bf16,
}
