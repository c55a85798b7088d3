#![doc = include_str!("../README.md")]

mod difference;
mod engine;
mod error;
mod execute;
mod file_facts;
mod frozen;
pub mod layout;
mod masking;
mod model;
mod plan;
mod probe;
mod run;
mod step;
mod watch;

pub use difference::Difference;
pub use error::TrainError;
pub use execute::{Interruption, RunEnd};
pub use file_facts::FileFacts;
pub use finetune_data::BatchSize;
pub use finetune_files::ErrorKind;
/// Items of `finetune-infer` that training code needs.
pub use finetune_infer::{
    ADAPTER, Accumulator, ChosenMetric, Classifier, CustomMetrics, DEVICE_NAMES, DeviceError,
    Evaluation, EvaluationRecord, InferError, LossConfig, Precision, PrecisionChoice, Prediction,
    Summary, balanced_weights, check_precision, device, evaluation_order, load_tokenizer,
    precision_name, resolve_auto, unusable_gpu,
};
pub use finetune_kernels::may_use;
pub use frozen::features::{FeatureReport, FeatureStore};
pub use frozen::forward::ForwardPath;
pub use masking::{MaskedBatch, Masker};
pub use model::base_model::BaseModel;
pub use model::head::check_head;
pub use model::prepare::{Prepared, prepare};
pub use model::settings::ModelSettings;
pub use model::teacher::Teacher;
pub use model::trainable::{Trainable, lowest_trained_layer};
pub use model::trained_model::{ModelWeights, TrainedModel};
pub use model::unfreezing::Unfreezing;
pub use plan::adaptation::AdaptationPlan;
pub use plan::contrastive::ContrastiveConfig;
pub use plan::data::DataPlan;
pub use plan::distillation::DistillationPlan;
pub use plan::evaluation::EvaluationPlan;
pub use plan::feature_limits::FeatureLimits;
pub use plan::file::{Key, OnResume};
pub use plan::interval::{Interval, IntervalStrategy, Moment};
pub use plan::metric_check::check_metric;
pub use plan::model::{ModelPlan, ScratchPlan};
pub use plan::one_cycle::{AnnealStrategy, OneCycleConfig};
pub use plan::optimization::OptimizationPlan;
pub use plan::optimizer::{AdafactorConfig, AdamConfig, OPTIMIZERS, OptimizerConfig, SgdConfig};
pub use plan::pretraining::{MaskUnit, PretrainingPlan};
pub use plan::report_to::ReportTo;
pub use plan::run_length::RunLength;
pub use plan::saving::SavingPlan;
pub use plan::schedule::{ScheduleConfig, SchedulerType, StepUnit};
pub use plan::strategy::{STRATEGIES, Strategy};
pub use plan::train_plan::TrainPlan;
pub use plan::warmup::Warmup;
pub use probe::{Probe, probe, workload::Workload};
pub(crate) use run::after_step::AfterStep;
pub use run::best::BestEvaluation;
pub(crate) use run::checkpoints::Checkpoints;
pub use run::checkpoints::SavingCost;
pub use run::directory::RunDirectory;
pub use run::early_stopping::EarlyStopping;
pub(crate) use run::evaluate::HeldOut;
pub use run::evaluate::evaluate;
pub use run::frozen_prefix::FrozenPrefix;
pub use run::held_out_logits::HeldOutLogits;
pub use run::inputs::{RunInputs, TeacherInputs, TrainData};
pub(crate) use run::kept_model::KeptModel;
pub use run::lasting::lasting;
pub(crate) use run::learning::{
    Learning, contrastive::Contrastive, distilled::Distilled, masked::MaskedLearning,
    supervised::Supervised,
};
pub use run::manifest::{
    MANIFEST_VERSION, MachineFacts, Manifest, ModelFacts, ProgramFacts, ResultFacts, Session,
    SessionEnd,
};
pub use run::outcome::Outcome;
pub use run::peak_memory::peak_memory_bytes;
pub use run::results::{RunResults, TeacherResults};
pub use run::saved_plan::SavedPlan;
pub use run::split_facts::{Reading, SplitFacts};
pub use run::start::Start;
pub use run::state::{STATE_VERSION, Sums, TrainState};
pub use run::steps::Steps;
pub use step::batch::{StepLoss, batches};
pub(crate) use step::clipping::Clipping;
pub use step::contrastive::loss::pair_loss;
pub use step::contrastive::pairs::check_pairs;
pub use step::distillation::DistillationLoss;
pub use step::ema::{Ema, EmaState};
pub use step::facts::StepFacts;
pub use step::gradients::{ParameterGradients, clip_factor};
pub(crate) use step::learner::Learner;
pub use step::losses::BatchLosses;
pub use step::optimizer::{Optimizer, OptimizerState, ParameterGroup, ParameterGroups};
pub use step::schedule::Schedule;
pub use step::schedule::epochs::Epochs;
pub use step::trial::{batch_sizes, trial_step};
pub(crate) use step::unread::Unread;
pub use watch::ending::{EarlyStop, LostBest, StopReason};
pub use watch::event::{Event, Observer, Observers};
pub(crate) use watch::event_log::EventLog;
pub use watch::pause::PausePoint;
#[cfg(feature = "tensorboard")]
pub use watch::tensorboard_log::TensorboardLog;
