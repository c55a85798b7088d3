#![doc = include_str!("../README.md")]

mod adapted;
mod after_step;
mod base_files;
mod batch;
mod best;
mod cadence;
mod checkpoints;
mod classifier;
mod device;
mod early_stopping;
mod ema;
mod engine;
mod epochs;
mod error;
mod evaluate;
mod evaluation;
mod event;
mod event_log;
mod features;
mod frozen_prefix;
mod gradient;
mod gradients;
mod head;
mod kept_model;
mod learner;
mod loss;
mod manifest;
mod metric_check;
mod model_settings;
mod optimizer;
mod parameters;
mod plan;
mod plan_check;
mod plan_difference;
mod precision;
mod prediction;
mod prepare;
mod report_to;
mod run_directory;
mod saved_plan;
mod schedule;
mod start;
mod state;
mod step_facts;
mod steps;
mod strategy;
#[cfg(feature = "tensorboard")]
mod tensorboard_log;
mod trainable;
mod trial_step;
mod unfreezing;
mod workers;

pub(crate) use after_step::AfterStep;
pub use batch::{StepLoss, batches, packed_tokens};
pub use best::BestEvaluation;
pub use cadence::{IntervalStrategy, Moment};
pub(crate) use checkpoints::Checkpoints;
pub use checkpoints::SavingCost;
pub use classifier::{Classifier, load_tokenizer};
pub use device::{DEVICE_NAMES, DeviceError, device, resolve_auto};
pub use early_stopping::{EarlyStop, EarlyStopping};
pub use ema::{Ema, EmaState};
pub use engine::{Outcome, TrainData, train};
pub(crate) use epochs::Epochs;
pub use error::TrainError;
pub use evaluate::{evaluate, evaluation_order};
pub use evaluation::{Accumulator, ChosenMetric, CustomMetrics, Evaluation, Summary};
pub use event::{Event, Observer, Observers, StopReason};
pub use event_log::EventLog;
pub use features::{FeatureLimits, FeatureReport, FeatureStore, forward};
pub use finetune_kernels::{Precision, may_use};
pub use frozen_prefix::FrozenPrefix;
pub use gradients::{ParameterGradients, clip_factor};
pub(crate) use kept_model::KeptModel;
pub use kept_model::LostBest;
pub(crate) use learner::Learner;
pub use loss::{LossConfig, balanced_weights};
pub use manifest::{
    FileFacts, MANIFEST_VERSION, MachineFacts, Manifest, ModelFacts, ProgramFacts, ResultFacts,
    Session, SessionEnd,
};
pub use metric_check::check_metric;
pub use model_settings::ModelSettings;
pub use optimizer::{
    AdafactorConfig, AdamConfig, OPTIMIZERS, Optimizer, OptimizerConfig, OptimizerState,
    ParameterGroup, ParameterGroups, SgdConfig,
};
pub use plan::TrainPlan;
pub use plan_difference::Difference;
pub use precision::PrecisionChoice;
pub use prediction::Prediction;
pub use prepare::{ADAPTER, Prepared, prepare};
pub use report_to::ReportTo;
pub use run_directory::{RunDirectory, write_json};
pub use saved_plan::SavedPlan;
pub use schedule::{AnnealStrategy, OneCycleConfig, Schedule, ScheduleConfig, SchedulerType};
pub use start::Start;
pub use state::{STATE_VERSION, Sums, TrainState};
pub use step_facts::StepFacts;
pub use steps::Steps;
pub use strategy::{STRATEGIES, Strategy};
#[cfg(feature = "tensorboard")]
pub use tensorboard_log::TensorboardLog;
pub use trainable::{Trainable, lowest_trained_layer};
pub use trial_step::{batch_sizes, trial_step};
pub use unfreezing::Unfreezing;
pub(crate) use workers::Workers;
