//! The files of a model directory: `config.json`, weights in several formats, and the tokenizer files
//! that are copied along.

mod config;
pub(crate) mod load;
mod pickle;
mod raw_tensor;
mod safetensors;
mod save;
#[cfg(test)]
mod tests;
mod torch;
mod unused;
mod weights;

/// The configuration's file.
pub const CONFIG: &str = "config.json";
/// The file of all weights.
pub const WEIGHTS: &str = "model.safetensors";

pub use self::{
    config::ModelConfig,
    load::{LoadReport, unused_weights},
    safetensors::SafetensorsFile,
    save::{SavedModel, TOKENIZER_FILES, to_file_layout},
    weights::weight_files,
};
