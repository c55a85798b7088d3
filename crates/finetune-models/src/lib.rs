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
mod masked_lm;
mod mean_pooled;
mod parameters;
#[cfg(test)]
mod testing;
mod values;
mod walk;

pub use classifier::SequenceClassifier;
pub use encoder::{
    ChosenTokens, Embeddings, Encoder, EncoderLayer, HiddenStates, Inner, LayerNorm,
};
pub use encoder_config::{EncoderConfig, EncoderSettings, Preset};
pub use error::ModelError;
pub use family::Family;
pub use files::{
    CONFIG, LoadReport, ModelConfig, NewRow, SafetensorsFile, SavedModel, TOKENIZER_FILES, WEIGHTS,
    extend_vocabulary, to_file_layout, unused_weights, weight_files,
};
pub use finetune_task::Task;
pub use head::{Head, MaskedLmHead};
pub use masked_lm::MaskedLm;
pub use parameters::{
    Component, Parameter, ParameterId, ParameterTable, Place, Role, masked_lm_parameters, modules,
    parameters, places,
};
pub use walk::{Described, ParameterMap, map_parameters, set_trained, visit_parameters};
