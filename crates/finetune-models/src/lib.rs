#![doc = include_str!("../README.md")]

mod adaptable;
mod classifier;
mod config;
mod error;
pub mod family;
mod load;
mod modules;
mod names;
mod pickle;
mod raw_tensor;
mod safetensors_file;
mod save;
mod torch_file;
mod unused;
mod weights;

pub use adaptable::modules;
pub use classifier::SequenceClassifier;
pub use config::ModelConfig;
pub use error::ModelError;
pub use family::Family;
pub use finetune_task::Task as Outputs;
pub use load::{LoadReport, unused_weights};
pub use modules::{Embeddings, EncoderLayer, Head, LayerNorm, first_tokens};
pub use names::{Parameter, Part, parameters};
pub use safetensors_file::SafetensorsFile;
pub use save::{TOKENIZER_FILES, to_file_layout, write_directory};
