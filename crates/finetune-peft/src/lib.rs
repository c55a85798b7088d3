#![doc = include_str!("../README.md")]

mod adaptable;
mod adapter;
mod attach;
mod config;
mod conversion;
mod error;
mod files;
mod ia3_config;
mod init;
mod linear;
mod lora;
mod lora_config;
mod matching;
mod merge;
mod named_tensor;
mod plan;
mod principal;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod walk;
mod weights_file;

pub use adaptable::{Adaptable, Part, PartMut};
pub use adapter::{Adapter, AdapterKind, AdapterParameter, Ia3, LinearCopy, split_adapter_path};
pub use attach::{adapter_names, attach, set_active, train_adapter};
pub use config::{AdapterFile, PeftConfig};
pub use error::PeftError;
#[doc(hidden)]
pub use error::lines;
pub use files::{
    CONFIG as ADAPTER_CONFIG, WEIGHTS as ADAPTER_WEIGHTS, adapter_config, adapter_outputs,
    adapter_tensors, load_adapter, save_adapter,
};
pub use ia3_config::Ia3Config;
pub use linear::Linear;
pub use lora::Lora;
pub use lora_config::{Bias, Init, LoraConfig, OneOrMany};
pub use matching::Targets;
pub use merge::merge;
pub use named_tensor::{NamedTensor, data_bytes, stream_tensors, write_tensors};
pub use plan::{
    AdaptedKind, AdaptedModule, AdapterPlan, ModuleInfo, ModuleKind, is_head, is_part_of,
    trainable_line,
};
pub use walk::{ParameterMap, Visited, map_parameters, set_trained, visit_parameters};
