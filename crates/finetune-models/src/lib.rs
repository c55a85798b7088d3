#![doc = include_str!("../README.md")]

mod adaptable;
mod classifier;
mod encoder;
mod encoder_config;
mod error;
pub mod family;
mod files;
mod fresh;
mod head;
mod mean_pooled;
mod parameters;
#[cfg(test)]
mod testing;
mod values;
mod walk;

pub use classifier::SequenceClassifier;
pub use encoder::{Embeddings, Encoder, EncoderLayer, HiddenStates, LayerNorm, first_tokens};
pub use encoder_config::{EncoderConfig, EncoderSettings, Preset};
pub use error::ModelError;
pub use family::Family;
pub use files::{
    CONFIG, LoadReport, ModelConfig, SafetensorsFile, TOKENIZER_FILES, WEIGHTS, to_file_layout,
    unused_weights, weight_files,
};
pub use finetune_task::Task;
pub use head::Head;
pub use parameters::{
    Component, Parameter, ParameterId, ParameterTable, Place, Role, modules, parameters, places,
};
pub use walk::{Described, ParameterMap, map_parameters, set_trained, visit_parameters};
