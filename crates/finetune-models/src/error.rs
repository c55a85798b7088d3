//! What can go wrong with a model's files, said so that the reader can act.

use std::path::{Path, PathBuf};

use finetune_files::{ErrorKind, FileError};
use finetune_peft::lines;

/// An error in a model directory.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The directory lacks a file that every model has.
    #[error(
        "{directory} is not a model directory: it has no {file}; expected config.json and model.safetensors (or pytorch_model.bin, or their shards) as transformers' save_pretrained writes them"
    )]
    MissingFile {
        /// The directory.
        directory: PathBuf,
        /// The absent file.
        file: &'static str,
    },
    /// `config.json` is not a JSON object.
    #[error("{path} is not a JSON object: {reason}")]
    ConfigSyntax {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        reason: String,
    },
    /// A key of `config.json` is absent or has a value that cannot be used.
    #[error("{path}: key \"{key}\": {problem}")]
    Config {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What was found and what is expected.
        problem: String,
    },
    /// The weights file is damaged or hostile.
    #[error("{path} is not a valid safetensors file: {problem}; fetch or save it again")]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// `pytorch_model.bin` cannot be read, or holds more than weights.
    #[error("{path} cannot be read: {problem}")]
    Torch {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// Shards that do not belong together.
    #[error(
        "{path} and the files that it names do not belong together: {problem}; fetch or save all of them again"
    )]
    Shards {
        /// The index.
        path: PathBuf,
        /// File and tensor that do not fit.
        problem: String,
    },
    /// A weight that is not a number, or infinite.
    #[error(
        "{path}: the weight {tensor} holds {value}; the file is damaged, or its training had diverged: fetch it again, or take another checkpoint"
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Name of the weight.
        tensor: String,
        /// The value.
        value: f32,
    },
    /// The weights do not fit the configuration.
    #[error("the weights in {path} do not fit config.json beside it:\n{}", lines(.problems))]
    Mismatch {
        /// The weights file.
        path: PathBuf,
        /// One line per weight: its name, the shape found and the shape expected.
        problems: Vec<String>,
    },
    /// Weights of the encoder are absent.
    #[error(
        "{path} lacks weights of the {model_type} encoder that config.json beside it describes:\n{}\nIt holds: {}", lines(.missing), .found
    )]
    MissingWeights {
        /// The weights file.
        path: PathBuf,
        /// The family's name.
        model_type: &'static str,
        /// The absent weights, by transformers' names.
        missing: Vec<String>,
        /// Some names that the file does hold.
        found: String,
    },
    /// A batch does not fit the model.
    #[error("{0}")]
    Input(String),
}

impl ModelError {
    /// On whose side the error lies. A batch that does not fit the model comes from rows and settings, so it
    /// is input as well.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::File(error) => error.kind(),
            Self::MissingFile { .. }
            | Self::ConfigSyntax { .. }
            | Self::Config { .. }
            | Self::Weights { .. }
            | Self::Torch { .. }
            | Self::Shards { .. }
            | Self::NotFinite { .. }
            | Self::Mismatch { .. }
            | Self::MissingWeights { .. }
            | Self::Input(_) => ErrorKind::Input,
        }
    }

    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| FileError::new("read", path, source).into()
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| FileError::new("write", path, source).into()
    }
}
