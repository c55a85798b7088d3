//! One error for the whole program, and the exit code that goes with it.

use std::process::ExitCode;

use finetune_train::TrainError;

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// The user can mend it: exit code 2.
    User(String),
    /// The program or the machine failed: exit code 1.
    Internal(String),
}

impl Failure {
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::User(_) => ExitCode::from(2),
            Self::Internal(_) => ExitCode::from(1),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::User(message) | Self::Internal(message)) = self;
        f.write_str(message)
    }
}

impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Self {
        match error.is_user_error() {
            true => Self::User(error.to_string()),
            false => Self::Internal(error.to_string()),
        }
    }
}

impl From<finetune_data::Error> for Failure {
    fn from(error: finetune_data::Error) -> Self {
        Self::User(error.to_string())
    }
}

impl From<finetune_models::ModelError> for Failure {
    fn from(error: finetune_models::ModelError) -> Self {
        Self::User(error.to_string())
    }
}

impl From<finetune_hub::HubError> for Failure {
    fn from(error: finetune_hub::HubError) -> Self {
        Self::User(error.to_string())
    }
}

impl From<finetune_train::DeviceError> for Failure {
    fn from(error: finetune_train::DeviceError) -> Self {
        Self::User(error.to_string())
    }
}
