//! The program's error type and its exit codes.

use std::process::ExitCode;

use finetune_files::ErrorKind;
use finetune_train::TrainError;

use crate::cli::interrupt;

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// The user can fix it: exit code 2.
    User(String),
    /// The program or the machine failed: exit code 1.
    Internal(String),
    /// SIGINT or SIGTERM ended the work; the message says what was kept: exit code 130 or 143.
    Interrupted(String),
    /// The reader of standard output closed it, as `head` does: exit code 0.
    OutputClosed,
}

impl Failure {
    /// Replaces the message with one made from it, to add context or advice.
    pub fn with_message(self, message: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::User(old) => Self::User(message(old)),
            Self::Internal(old) => Self::Internal(message(old)),
            other @ (Self::Interrupted(_) | Self::OutputClosed) => other,
        }
    }

    /// Returns the program's exit code for this failure.
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

impl Failure {
    /// Creates the failure for a kind of error; no other place maps kinds to exit codes.
    pub fn of(kind: ErrorKind, message: String) -> Self {
        match kind {
            ErrorKind::Input => Self::User(message),
            ErrorKind::Environment | ErrorKind::Bug => Self::Internal(message),
            ErrorKind::Interrupted => Self::Interrupted(message),
        }
    }
}

impl From<finetune_data::Error> for Failure {
    fn from(error: finetune_data::Error) -> Self {
        match error {
            finetune_data::Error::Stopped => {
                Self::Interrupted("interrupted; nothing was kept".into())
            }
            error => Self::of(error.kind(), error.to_string()),
        }
    }
}

impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Self {
        match error {
            TrainError::Data(error) => error.into(),
            error => Self::of(error.kind(), error.to_string()),
        }
    }
}

/// Converts errors by their kind and message.
macro_rules! failures {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::of(error.kind(), error.to_string())
            }
        }
    )*};
}

failures!(
    finetune_check::CheckError,
    finetune_compare::CompareError,
    finetune_files::FileError,
    finetune_hub::HubError,
    finetune_models::ModelError,
    finetune_peft::PeftError,
    finetune_report::ReportError,
    finetune_infer::DeviceError,
);

impl From<finetune_infer::InferError> for Failure {
    fn from(error: finetune_infer::InferError) -> Self {
        TrainError::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use finetune_files::FileError;

    use super::*;

    fn is_user(failure: &Failure) -> bool {
        matches!(failure, Failure::User(_))
    }

    /// A missing file is a user error and a full disk is not, whichever crate reports it.
    #[test]
    fn a_full_disk_is_not_a_user_error() {
        use std::{io, path::Path};
        let file = |kind: io::ErrorKind| FileError::new("read", Path::new("a"), kind.into());
        for (kind, users) in [
            (io::ErrorKind::NotFound, true),
            (io::ErrorKind::StorageFull, false),
            (io::ErrorKind::ConnectionRefused, false),
            (io::ErrorKind::OutOfMemory, false),
        ] {
            let failures: [Failure; 6] = [
                file(kind).into(),
                finetune_models::ModelError::from(file(kind)).into(),
                finetune_peft::PeftError::from(file(kind)).into(),
                finetune_hub::HubError::from(file(kind)).into(),
                finetune_data::Error::from(file(kind)).into(),
                TrainError::from(file(kind)).into(),
            ];
            for failure in failures {
                assert_eq!(is_user(&failure), users, "{kind}: {failure}");
            }
        }
    }

    #[test]
    fn an_unreachable_network_is_not_a_user_error() {
        let unreachable = finetune_hub::HubError::Unreachable {
            endpoint: "https://hub".into(),
            reason: "connection refused".into(),
        };
        assert!(!is_user(&unreachable.into()));
        assert!(is_user(&finetune_hub::HubError::Offline.into()));
    }
}
