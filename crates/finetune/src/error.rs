//! One error for the whole program, and the exit code that goes with it.

use std::process::ExitCode;

use finetune_train::TrainError;

use crate::cli::interrupt;

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// The user can mend it: exit code 2.
    User(String),
    /// The program or the machine failed: exit code 1.
    Internal(String),
    /// SIGINT or SIGTERM, and what of the work is kept: exit code 130 or 143.
    Interrupted(String),
    /// Whoever read standard output has seen enough and closed it, as `head` does: no failure.
    OutputClosed,
}

impl Failure {
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::User(_) => ExitCode::from(2),
            Self::Internal(_) => ExitCode::from(1),
            Self::Interrupted(_) => ExitCode::from(interrupt::exit_code()),
            Self::OutputClosed => ExitCode::SUCCESS,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(message) | Self::Internal(message) => write!(f, "error: {message}"),
            Self::Interrupted(message) => f.write_str(message),
            Self::OutputClosed => Ok(()),
        }
    }
}

impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Self {
        match error {
            TrainError::Data(error) => error.into(),
            TrainError::Interrupted => Self::Interrupted("interrupted".into()),
            error if error.is_user_error() => Self::User(error.to_string()),
            error => Self::Internal(error.to_string()),
        }
    }
}

impl From<finetune_data::Error> for Failure {
    fn from(error: finetune_data::Error) -> Self {
        match error {
            finetune_data::Error::Stopped => {
                Self::Interrupted("interrupted; nothing was kept".into())
            }
            error => Self::User(error.to_string()),
        }
    }
}

impl From<finetune_models::ModelError> for Failure {
    fn from(error: finetune_models::ModelError) -> Self {
        Self::User(error.to_string())
    }
}

impl From<finetune_peft::PeftError> for Failure {
    fn from(error: finetune_peft::PeftError) -> Self {
        Self::User(error.to_string())
    }
}

impl From<finetune_hub::HubError> for Failure {
    fn from(error: finetune_hub::HubError) -> Self {
        Self::User(error.to_string())
    }
}

impl From<finetune_infer::InferError> for Failure {
    fn from(error: finetune_infer::InferError) -> Self {
        TrainError::from(error).into()
    }
}

impl From<finetune_infer::DeviceError> for Failure {
    fn from(error: finetune_infer::DeviceError) -> Self {
        Self::User(error.to_string())
    }
}
