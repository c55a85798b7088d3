//! What can stop a training run.

use std::path::{Path, PathBuf};

use finetune_files::{ErrorKind, FileError};
use finetune_metrics::Metric;

use crate::{Difference, difference::changed_plan};

/// An error of the training engine.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The data.
    #[error(transparent)]
    Data(#[from] finetune_data::Error),
    /// The model or its files.
    #[error(transparent)]
    Model(#[from] finetune_models::ModelError),
    /// An adapter or its files.
    #[error(transparent)]
    Peft(#[from] finetune_peft::PeftError),
    /// A metric.
    #[error(transparent)]
    Metric(#[from] finetune_metrics::MetricError),
    /// Loading a model, or evaluating it, where none of the above is the cause.
    #[error(transparent)]
    Infer(finetune_infer::InferError),
    /// A checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] finetune_checkpoint::CheckpointError),
    /// The lock of a run's directory.
    #[error(transparent)]
    Lock(#[from] finetune_files::LockError),
    /// An observer wanted the run, or an evaluation, to be left.
    #[error("interrupted")]
    Interrupted,
    /// TensorBoard's event file.
    #[cfg(feature = "tensorboard")]
    #[error(transparent)]
    Tensorboard(#[from] finetune_tensorboard::TensorboardError),
    /// A setting with a value that makes no sense.
    #[error("{key} is {found}; expected {expected}")]
    Value {
        /// The setting, by its name in the plan.
        key: &'static str,
        /// Its value.
        found: String,
        /// What would make sense.
        expected: String,
    },
    /// Settings that do not go together.
    #[error("{problem}")]
    Conflict {
        /// The settings, by their names in the plan.
        keys: [&'static str; 2],
        /// Why not, and what to change.
        problem: String,
    },
    /// `last:N` of more layers than there are.
    #[error("strategy {strategy}: the model has {layers} layers")]
    TooFewLayers {
        /// What is to be trained.
        strategy: String,
        /// Layers of the model.
        layers: usize,
    },
    /// `layers:…` with a layer that the model does not have.
    #[error(
        "strategy {strategy}: the model has no layer {layer}; its layers are 0 to {}",
        layers.saturating_sub(1)
    )]
    NoLayer {
        /// What is to be trained.
        strategy: String,
        /// The number asked for.
        layer: usize,
        /// Layers of the model.
        layers: usize,
    },
    /// `params:…` with what is not a regular expression.
    #[error("strategy {strategy}: not a regular expression: {source}")]
    Pattern {
        /// What is to be trained.
        strategy: String,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// `params:…` that finds nothing.
    #[error(
        "strategy {strategy} matches no parameter of this {model_type} model; the nearest names are {nearest}"
    )]
    NoParameter {
        /// What is to be trained.
        strategy: String,
        /// The family's name.
        model_type: &'static str,
        /// Names that exist.
        nearest: String,
    },
    /// There is nothing to train on.
    #[error("there are no training rows")]
    NoRows,
    /// A schedule that ends before it begins.
    #[error("the schedule has 0 steps; expected at least 1")]
    NoSteps,
    /// The metric for the best model has no value on the validation rows.
    #[error(
        "metric_for_best_model is {metric}, which is not defined on these {rows} validation rows, whatever the model says: it needs {needs}{without}. Choose another, such as --metric-for-best-model {default}, or other validation rows"
    )]
    UndefinedMetric {
        /// The metric.
        metric: Metric,
        /// Number of the rows.
        rows: u64,
        /// What their labels would need to have.
        needs: &'static str,
        /// Classes that none of them has, in words; empty if there is none.
        without: String,
        /// A metric that always has a value.
        default: Metric,
    },
    /// An adapter to go on with, of whose trained parts some are nowhere.
    #[error(
        "neither the base model {} nor the adapter {} has {}, and training would leave them random; go on with the base model that has them, or begin a new adapter with --strategy",
        base.display(),
        adapter.display(),
        missing.join(", ")
    )]
    RandomWeights {
        /// The base model's directory.
        base: PathBuf,
        /// The adapter's directory.
        adapter: PathBuf,
        /// Names of the weights.
        missing: Vec<String>,
    },
    /// An adapter to go on with that trains no head, where one is needed.
    #[error(
        "the adapter {} trains no head, and the base model's does not serve: {why}",
        adapter.display()
    )]
    NoHead {
        /// The adapter's directory.
        adapter: PathBuf,
        /// Why the base model's head does not serve.
        why: String,
    },
    /// Files of the base model are not those that the run began with.
    #[error(
        "files of the base model {model} are not those that the run began with, so its result would be another:\n{}\nBring them back, or start another run",
        changed.join("\n")
    )]
    ChangedFiles {
        /// The model's name.
        model: String,
        /// A line per file, with its hashes.
        changed: Vec<String>,
    },
    /// The base model's configuration is not the one that the run began with.
    #[error(
        "the base model's config.json is not the one that the run began with:\n{}\nBring it back, or start another run",
        changed.join("\n")
    )]
    ChangedConfig {
        /// A line per key, with its values.
        changed: Vec<String>,
    },
    /// Rows are not those that the run began with.
    #[error(
        "the {} rows of {dataset} are not those that the run began with: their texts, labels or tokenizer changed; bring them back, or start another run",
        changed.join(" and ")
    )]
    ChangedRows {
        /// The data set's name.
        dataset: String,
        /// The splits: training, validation, test.
        changed: Vec<&'static str>,
    },
    /// The plan to go on with is not the run's.
    #[error("{}", changed_plan(differences, restore))]
    ChangedPlan {
        /// The differences that are neither harmless nor accepted.
        differences: Vec<Difference>,
        /// Flags that undo those that were made in `plan.toml`.
        restore: Vec<String>,
    },
    /// The state of a run that a checkpoint has.
    #[error("cannot go on from {}: {problem}", path.display())]
    StateFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// An observer's state in a checkpoint is not its own.
    #[error("the checkpoint's state of {observer} is {found}; expected {expected}")]
    ObserverState {
        /// The observer's name.
        observer: &'static str,
        /// The state.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A saved state that is not of this model or these settings.
    #[error(
        "the saved state of the {what} does not fit: {problem}. It belongs to another model or other settings; start a new run instead"
    )]
    State {
        /// Whose state.
        what: &'static str,
        /// What does not fit.
        problem: String,
    },
    /// The run directory cannot be made.
    #[error("cannot use {path} as the run directory: {problem}; choose another with --output")]
    RunDirectory {
        /// The directory.
        path: PathBuf,
        /// Why not.
        problem: String,
        /// The system's reason, where it is one.
        source: Option<std::io::Error>,
    },
    /// A directory is not that of a run.
    #[error("{} is not the directory of a run: {problem}; expected what `finetune train` wrote", path.display())]
    NoRun {
        /// The directory.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
    /// A file of the run is not what it was.
    #[error("{} is damaged: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// `finetune.json` of a model cannot be read.
    #[error("{} is damaged: {problem}; bring it back, or delete it and name columns and lengths yourself", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A device cannot be used.
    #[error(transparent)]
    Device(#[from] crate::DeviceError),
    /// An assumption of the engine does not hold.
    #[error("{0}")]
    Internal(String),
    /// Features of frozen layers cannot be kept on disk.
    #[error(
        "cannot keep the features of the frozen layers in a temporary file in {directory}: {source}; free space there, or have them computed each time with --set feature_cache.disk_bytes=0"
    )]
    FeatureDisk {
        /// The file's directory.
        directory: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Features of frozen layers do not fit into memory.
    #[error(
        "the features of the frozen layers need {bytes} bytes of memory, which this machine does not give; lower --set feature_cache.memory_bytes"
    )]
    FeatureMemory {
        /// Bytes needed.
        bytes: u64,
    },
    /// The loss or the gradient is no longer a number.
    #[error(
        "step {step}: the loss is {loss} and the gradient norm {gradient_norm} (learning rate {learning_rate:e}); the batch had {rows}. A lower --learning-rate or more --warmup-ratio usually helps. Earlier checkpoints are whole"
    )]
    NotFinite {
        /// The step, from 1.
        step: u64,
        /// The loss of the batch.
        loss: f64,
        /// The global gradient norm.
        gradient_norm: f64,
        /// The learning rate of the step.
        learning_rate: f64,
        /// Where the batch's rows come from.
        rows: String,
    },
}

impl From<finetune_infer::InferError> for TrainError {
    /// What inference only passes on is the same error here.
    fn from(error: finetune_infer::InferError) -> Self {
        use finetune_infer::InferError;
        match error {
            InferError::Data(error) => Self::Data(error),
            InferError::Model(error) => Self::Model(error),
            InferError::Peft(error) => Self::Peft(error),
            InferError::Metric(error) => Self::Metric(error),
            InferError::Interrupted => Self::Interrupted,
            error => Self::Infer(error),
        }
    }
}

impl TrainError {
    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| FileError::new("read", path, source).into()
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| FileError::new("write", path, source).into()
    }

    /// On whose side the error lies.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Data(error) => error.kind(),
            Self::Model(error) => error.kind(),
            Self::Peft(error) => error.kind(),
            Self::Metric(error) => error.kind(),
            Self::Infer(error) => error.kind(),
            Self::Checkpoint(error) => error.kind(),
            Self::Lock(error) => error.kind(),
            #[cfg(feature = "tensorboard")]
            Self::Tensorboard(error) => error.kind(),
            Self::File(error) => error.kind(),
            Self::Device(error) => error.kind(),
            Self::Interrupted => ErrorKind::Interrupted,
            // Where a system's reason is known it decides; else something is in the way.
            Self::RunDirectory { source, .. } => {
                source.as_ref().map_or(ErrorKind::Input, ErrorKind::of)
            }
            Self::Value { .. }
            | Self::Conflict { .. }
            | Self::TooFewLayers { .. }
            | Self::NoLayer { .. }
            | Self::Pattern { .. }
            | Self::NoParameter { .. }
            | Self::NoRows
            | Self::NoSteps
            | Self::UndefinedMetric { .. }
            | Self::RandomWeights { .. }
            | Self::NoHead { .. }
            | Self::ChangedFiles { .. }
            | Self::ChangedConfig { .. }
            | Self::ChangedRows { .. }
            | Self::ChangedPlan { .. }
            | Self::StateFile { .. }
            | Self::ObserverState { .. }
            | Self::State { .. }
            | Self::NoRun { .. }
            | Self::Damaged { .. }
            | Self::Settings { .. } => ErrorKind::Input,
            // A run that diverged has failed, although other settings may help: programs that start runs tell it
            // from runs that were refused.
            Self::FeatureDisk { .. } | Self::FeatureMemory { .. } | Self::NotFinite { .. } => {
                ErrorKind::Environment
            }
            Self::Internal(_) => ErrorKind::Bug,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn file(kind: io::ErrorKind) -> FileError {
        FileError::new("write", Path::new("run/plan.toml"), kind.into())
    }

    #[test]
    fn an_error_is_of_the_kind_of_its_cause() {
        for (kind, expected) in [
            (io::ErrorKind::NotFound, ErrorKind::Input),
            (io::ErrorKind::StorageFull, ErrorKind::Environment),
        ] {
            let errors: [TrainError; 5] = [
                file(kind).into(),
                finetune_data::Error::from(file(kind)).into(),
                finetune_models::ModelError::from(file(kind)).into(),
                finetune_checkpoint::CheckpointError::from(file(kind)).into(),
                TrainError::RunDirectory {
                    path: "run".into(),
                    problem: String::new(),
                    source: Some(kind.into()),
                },
            ];
            for error in errors {
                assert_eq!(error.kind(), expected, "{kind}: {error:?}");
                let mut sources =
                    std::iter::successors(Some(&error as &dyn std::error::Error), |error| {
                        error.source()
                    });
                assert!(sources.any(|error| error.is::<io::Error>()), "{error:?}");
            }
        }
    }

    #[test]
    fn settings_are_input_and_broken_assumptions_are_not() {
        let value = TrainError::Value {
            key: "epochs",
            found: "0".into(),
            expected: "a number above 0".into(),
        };
        assert_eq!(value.to_string(), "epochs is 0; expected a number above 0");
        assert_eq!(value.kind(), ErrorKind::Input);
        assert_eq!(TrainError::NoRows.kind(), ErrorKind::Input);
        assert_eq!(TrainError::Internal("x".into()).kind(), ErrorKind::Bug);
        assert_eq!(TrainError::Interrupted.kind(), ErrorKind::Interrupted);
        let stopped = TrainError::from(finetune_infer::InferError::Interrupted);
        assert_eq!(stopped.kind(), ErrorKind::Interrupted);
        let shape = finetune_infer::InferError::ClassCount { found: 1, rows: 2 };
        assert_eq!(TrainError::from(shape).kind(), ErrorKind::Bug);
    }
}
