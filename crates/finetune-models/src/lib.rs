#![doc = include_str!("../README.md")]

mod adaptable;
mod classifier;
mod encoder;
mod error;
pub mod family;
mod files;
mod head;
mod parameters;
#[cfg(test)]
mod testing;
mod values;
mod walk;

pub use classifier::SequenceClassifier;
pub use encoder::{Embeddings, Encoder, EncoderLayer, HiddenStates, LayerNorm, first_tokens};
pub use error::ModelError;
pub use family::Family;
pub use files::{
    CONFIG, LoadReport, ModelConfig, NewRow, SafetensorsFile, TOKENIZER_FILES, WEIGHTS,
    extend_vocabulary, to_file_layout, unused_weights, weight_files,
};
pub use finetune_task::Task;
pub use head::Head;
pub use parameters::{
    Component, Parameter, ParameterId, ParameterTable, Place, Role, modules, parameters, places,
};
pub use walk::{Described, ParameterMap, map_parameters, set_trained, visit_parameters};
