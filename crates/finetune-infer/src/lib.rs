#![doc = include_str!("../README.md")]

mod accumulator;
mod adapted;
mod class_curve;
mod classifier;
mod column;
mod custom_metrics;
mod device;
mod error;
mod evaluate;
mod evaluation;
mod json_line;
pub mod objective;
mod precision;
mod prediction;
mod record;
mod workers;
mod worst_rows;

pub use accumulator::Accumulator;
pub use adapted::{ADAPTER, AdapterOutputs, not_saved};
pub use class_curve::ClassCurve;
pub use classifier::{Classifier, load_tokenizer};
pub use column::{Column, Field};
pub use custom_metrics::{ChosenMetric, CustomMetrics};
pub use device::{DEVICE_NAMES, DeviceError, device, resolve_auto};
pub use error::InferError;
pub use evaluate::{evaluate, evaluate_with, evaluation_order};
pub use evaluation::{Evaluation, Summary};
pub use finetune_kernels::Precision;
pub use json_line::json_line;
pub use objective::loss::{LossConfig, balanced_weights};
pub use objective::masked_tokens::MaskedTokenLosses;
pub use precision::{PrecisionChoice, PrecisionName};
pub use prediction::Prediction;
pub use record::EvaluationRecord;
pub use workers::Workers;
pub use worst_rows::{WorstRows, WrongRow};
