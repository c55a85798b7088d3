#![doc = include_str!("../README.md")]

mod batch;
mod best;
mod classifier;
mod device;
mod ema;
mod engine;
mod error;
mod evaluate;
mod event;
mod gradients;
mod loss;
mod optimizer;
mod parameters;
mod plan;
mod prepare;
mod run_directory;
mod schedule;
mod strategy;
mod trainable;

pub use batch::{BatchLoss, packed_tokens};
pub use best::{BestEvaluation, BestModel};
pub use classifier::{Classifier, Prediction, load_tokenizer};
pub use device::{DEVICE_NAMES, DeviceError, device, resolve_auto};
pub use ema::{Ema, EmaState};
pub use engine::{Outcome, TrainData, train};
pub use error::TrainError;
pub use evaluate::{Accumulator, Evaluation, evaluate};
pub use event::{Event, Observer, Observers, StopReason};
pub use gradients::{ParameterGradients, clip_factor};
pub use loss::{LossConfig, balanced_weights};
pub use optimizer::{
    AdafactorConfig, AdamConfig, AdamWConfig, OPTIMIZERS, Optimizer, OptimizerConfig,
    OptimizerState, ParameterGroup, ParameterGroups, SgdConfig,
};
pub use plan::TrainPlan;
pub use prepare::{ADAPTER, Prepared, prepare};
pub use run_directory::{EventLog, RunDirectory, write_json};
pub use schedule::{AnnealStrategy, OneCycleConfig, Schedule, ScheduleConfig, SchedulerType};
pub use strategy::{STRATEGIES, Strategy};
pub use trainable::{Trainable, lowest_trained_layer};
