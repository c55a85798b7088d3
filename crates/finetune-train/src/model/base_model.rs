//! The model that a run begins with, before its weights are loaded.

use std::path::{Path, PathBuf};

use finetune_models::{ModelConfig, ModelError};

/// The directory of a model, and its configuration, which is read once.
#[derive(Clone, Debug)]
pub struct BaseModel {
    /// The directory.
    pub directory: PathBuf,
    /// What its `config.json` says.
    pub config: ModelConfig,
}

impl BaseModel {
    /// Reads the configuration of the model in `directory`.
    ///
    /// # Errors
    /// A `config.json` that is missing or cannot be used.
    pub fn open(directory: &Path) -> Result<Self, ModelError> {
        Ok(Self {
            directory: directory.into(),
            config: ModelConfig::from_directory(directory)?,
        })
    }
}
