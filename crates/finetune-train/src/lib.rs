#![doc = include_str!("../README.md")]

mod batch;
mod best;
mod classifier;
mod device;
mod engine;
mod error;
mod evaluate;
mod evaluation;
mod event;
mod gradients;
mod optimizer;
mod plan;
mod prediction;
mod prepare;
mod run_directory;
mod schedule;
mod strategy;
mod trainable;

pub use batch::{BatchLoss, packed_tokens};
pub use best::{BestEvaluation, BestModel};
pub use classifier::{Classifier, load_tokenizer};
pub use device::{DEVICE_NAMES, DeviceError, device, resolve_auto};
pub use engine::{Outcome, TrainData, train};
pub use error::TrainError;
pub use evaluate::{evaluate, evaluation_order};
pub use evaluation::{Accumulator, ChosenMetric, CustomMetrics, Evaluation, Summary};
pub use event::{Event, Observer, Observers, StopReason};
pub use gradients::{ParameterGradients, clip_factor};
pub use optimizer::{AdamW, AdamWConfig};
pub use plan::TrainPlan;
pub use prediction::Prediction;
pub use prepare::{ADAPTER, Prepared, prepare};
pub use run_directory::{EventLog, RunDirectory, write_json};
pub use schedule::Schedule;
pub use strategy::{STRATEGIES, Strategy};
pub use trainable::{Trainable, lowest_trained_layer};
