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
mod explain;
mod fill_mask;
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
pub use device::{
    Cpu, DEVICE_NAMES, DeviceError, DeviceFacts, Listing, MissingDevice, device,
    device_panic_is_caught, devices, resolve_auto, unusable_gpu,
};
pub use error::InferError;
pub use evaluate::{evaluate, evaluate_batches, evaluate_with, evaluation_order};
pub use evaluation::{Evaluation, Summary};
pub use explain::{Attribution, Baseline, Explaining, Explanation};
pub use fill_mask::{FillMask, Filling};
pub use finetune_kernels::Precision;
pub use json_line::json_line;
pub use objective::loss::{LossConfig, balanced_weights};
pub use objective::masked_tokens::MaskedTokenLosses;
pub use precision::{PrecisionChoice, PrecisionName, check_precision, name as precision_name};
pub use prediction::Prediction;
pub use record::EvaluationRecord;
pub use workers::Workers;
pub use worst_rows::{WorstRows, WrongRow};
