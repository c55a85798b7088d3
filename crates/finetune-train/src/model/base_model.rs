//! The model that a run starts from, before its weights are loaded.

use std::path::{Path, PathBuf};

use finetune_models::{ModelConfig, ModelError};

/// The directory of a model with its configuration, which is read only once.
#[derive(Clone, Debug)]
pub struct BaseModel {
    /// The model's directory.
    pub directory: PathBuf,
    /// The content of its `config.json`.
    pub config: ModelConfig,
}

impl BaseModel {
    /// Reads the configuration of the model in `directory`.
    ///
    /// # Errors
    /// Fails if `config.json` is missing or invalid.
    pub fn open(directory: &Path) -> Result<Self, ModelError> {
        Ok(Self {
            directory: directory.into(),
            config: ModelConfig::from_directory(directory)?,
        })
    }
}
