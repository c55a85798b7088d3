//! Turns the name given to `--precision` into the precision of matrix multiplications.

use std::{fmt, str::FromStr};

use finetune_kernels::Precision;
use serde::{Deserialize, Serialize};

use crate::{DeviceError, device::matrix_units};

/// The precision that a user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrecisionChoice {
    /// f32 throughout.
    F32,
    /// Matrix multiplications of f32 values rounded to TF32 by a GPU's tensor cores, summed in f32.
    Tf32,
    /// Matrix multiplications of bf16 values, summed in f32.
    Bf16,
    /// bf16 where the device multiplies it faster than f32. This is the default: over five seeds
    /// it cost no accuracy (docs/strategies.md).
    #[default]
    Auto,
}

impl PrecisionChoice {
    /// Returns the precision for a model on the device of this name.
    ///
    /// # Errors
    /// Fails as [`check_precision`] does.
    pub fn resolve(self, device: &str) -> Result<Precision, DeviceError> {
        let precision = match self {
            Self::F32 => Precision::F32,
            Self::Tf32 => Precision::Tf32,
            Self::Bf16 => Precision::Bf16,
            Self::Auto => Self::auto(device),
        };
        check_precision(precision, device)?;
        Ok(precision)
    }

    /// Resolves `auto` for a model on the device of this name.
    pub fn auto(device: &str) -> Precision {
        match matrix_units(device).bf16 {
            true => Precision::Bf16,
            false => Precision::F32,
        }
    }
}

/// Checks that the device of this name computes in this precision.
///
/// # Errors
/// Fails for TF32 on a device without tensor cores, such as the CPU.
pub fn check_precision(precision: Precision, device: &str) -> Result<(), DeviceError> {
    match precision {
        Precision::Tf32 if !matrix_units(device).tf32 => Err(DeviceError::Precision {
            name: device.into(),
            precision: name(precision),
        }),
        _ => Ok(()),
    }
}

/// Returns the name of a precision, as `--precision` takes it.
pub fn name(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "f32",
        Precision::Tf32 => "tf32",
        Precision::Bf16 => "bf16",
    }
}

impl fmt::Display for PrecisionChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
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
            "tf32" => Ok(Self::Tf32),
            "bf16" => Ok(Self::Bf16),
            "auto" => Ok(Self::Auto),
            _ => Err(format!(
                "\"{text}\" is not known; expected f32, tf32, bf16 or auto"
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
    /// Matrix multiplications of f32 values rounded to TF32, summed in f32.
    Tf32,
    /// Matrix multiplications of bf16 values, summed in f32.
    Bf16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tf32_needs_tensor_cores() {
        let error = PrecisionChoice::Tf32.resolve("cpu").err();
        let message = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(message.starts_with("precision tf32 needs"), "{message}");
        assert_eq!(
            PrecisionChoice::F32.resolve("cpu").ok(),
            Some(Precision::F32)
        );
        assert_eq!(
            PrecisionChoice::Bf16.resolve("cpu").ok(),
            Some(Precision::Bf16)
        );
    }
}
