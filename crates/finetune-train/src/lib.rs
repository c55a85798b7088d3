#![doc = include_str!("../README.md")]

mod engine;
mod error;
mod frozen;
mod model;
mod plan;
mod run;
mod step;
mod watch;

pub use engine::Outcome;
pub use error::TrainError;
pub use finetune_data::BatchSize;
pub use finetune_files::ErrorKind;
/// Of `finetune-infer`.
pub use finetune_infer::{
    ADAPTER, Accumulator, ChosenMetric, Classifier, CustomMetrics, DEVICE_NAMES, DeviceError,
    Evaluation, EvaluationRecord, InferError, LossConfig, Precision, PrecisionChoice, Prediction,
    Summary, balanced_weights, device, evaluation_order, load_tokenizer, resolve_auto,
};
pub use finetune_kernels::may_use;
pub use frozen::features::{FeatureLimits, FeatureReport, FeatureStore};
pub use frozen::forward::{ForwardPath, forward};
pub use frozen::prefix::FrozenPrefix;
pub use model::base_model::BaseModel;
pub use model::prepare::{Prepared, prepare};
pub use model::settings::ModelSettings;
pub use model::strategy::{STRATEGIES, Strategy};
pub use model::trainable::{Trainable, lowest_trained_layer};
pub use model::unfreezing::Unfreezing;
pub use plan::data::DataPlan;
pub use plan::difference::Difference;
pub use plan::evaluation::EvaluationPlan;
pub use plan::file::{Key, OnResume};
pub use plan::interval::{Interval, IntervalStrategy, Moment};
pub use plan::metric_check::check_metric;
pub use plan::model::ModelPlan;
pub use plan::optimization::OptimizationPlan;
pub use plan::report_to::ReportTo;
pub use plan::run_length::RunLength;
pub use plan::saved::SavedPlan;
pub use plan::saving::SavingPlan;
pub use plan::train_plan::TrainPlan;
pub use plan::warmup::Warmup;
pub(crate) use run::after_step::AfterStep;
pub use run::best::BestEvaluation;
pub(crate) use run::checkpoints::Checkpoints;
pub use run::checkpoints::SavingCost;
pub use run::directory::RunDirectory;
pub use run::early_stopping::{EarlyStop, EarlyStopping};
pub(crate) use run::epochs::Epochs;
pub use run::evaluate::evaluate;
pub use run::execute::{Interruption, RunEnd};
pub use run::inputs::{RunInputs, TrainData};
pub(crate) use run::kept_model::KeptModel;
pub use run::kept_model::LostBest;
pub use run::lasting::lasting;
pub use run::layout;
pub use run::manifest::{
    FileFacts, MANIFEST_VERSION, MachineFacts, Manifest, ModelFacts, ProgramFacts, ResultFacts,
    Session, SessionEnd,
};
pub use run::peak_memory::peak_memory_bytes;
pub use run::results::RunResults;
pub use run::start::Start;
pub use run::state::{STATE_VERSION, Sums, TrainState};
pub use run::steps::Steps;
pub use step::batch::{StepLoss, batches};
pub use step::ema::{Ema, EmaState};
pub use step::facts::StepFacts;
pub use step::gradients::{ParameterGradients, clip_factor};
pub(crate) use step::learner::Learner;
pub use step::optimizer::{
    AdafactorConfig, AdamConfig, OPTIMIZERS, Optimizer, OptimizerConfig, OptimizerState,
    ParameterGroup, ParameterGroups, SgdConfig,
};
pub use step::schedule::{AnnealStrategy, OneCycleConfig, Schedule, ScheduleConfig, SchedulerType};
pub use step::trial::{batch_sizes, trial_step};
pub use watch::event::{Event, Observer, Observers, StopReason};
pub(crate) use watch::event_log::EventLog;
#[cfg(feature = "tensorboard")]
pub use watch::tensorboard_log::TensorboardLog;
