//! What can stop a training run.

use std::path::{Path, PathBuf};

use finetune_files::{ErrorKind, FileError};

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
    /// A setting that cannot be.
    #[error("{0}")]
    Plan(String),
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
            Self::Plan(_)
            | Self::State { .. }
            | Self::RunDirectory { .. }
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
