//! The errors of the training engine.

use std::path::PathBuf;

use finetune_files::{ErrorKind, FileError};
use finetune_metrics::Metric;

use crate::{Difference, difference::changed_plan};

/// An error of the training engine.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// Reading data failed.
    #[error(transparent)]
    Data(#[from] finetune_data::Error),
    /// Loading a model failed.
    #[error(transparent)]
    Model(#[from] finetune_models::ModelError),
    /// Loading or saving an adapter failed.
    #[error(transparent)]
    Peft(#[from] finetune_peft::PeftError),
    /// Computing a metric failed.
    #[error(transparent)]
    Metric(#[from] finetune_metrics::MetricError),
    /// Loading or evaluating a model failed for a reason that none of the above covers.
    #[error(transparent)]
    Infer(finetune_infer::InferError),
    /// Saving or loading a checkpoint failed.
    #[error(transparent)]
    Checkpoint(#[from] finetune_checkpoint::CheckpointError),
    /// The lock of a run directory could not be taken.
    #[error(transparent)]
    Lock(#[from] finetune_files::LockError),
    /// An observer interrupted the run or an evaluation.
    #[error("interrupted")]
    Interrupted,
    /// Writing TensorBoard's event file failed.
    #[cfg(feature = "tensorboard")]
    #[error(transparent)]
    Tensorboard(#[from] finetune_tensorboard::TensorboardError),
    /// A directory that should have a tokenizer has none.
    #[error(
        "{} {}; --tokenizer expects a directory with tokenizer.json (or vocab.txt, or vocab.json and merges.txt), as `finetune tokenizer train` makes it and every model has it",
        .directory.display(),
        if .directory.exists() { "has no tokenizer" } else { "does not exist" }
    )]
    NoTokenizer {
        /// The directory.
        directory: PathBuf,
    },
    /// A setting has an invalid value.
    #[error("{key} is {found}; expected {expected}")]
    Value {
        /// The name of the setting in the plan.
        key: &'static str,
        /// Its value.
        found: String,
        /// What would be valid.
        expected: String,
    },
    /// Two settings contradict each other.
    #[error("{problem}")]
    Conflict {
        /// The names of the settings in the plan.
        keys: [&'static str; 2],
        /// The contradiction, and what to change.
        problem: String,
    },
    /// `last:N` names more layers than the model has.
    #[error("strategy {strategy}: the model has {layers} layers")]
    TooFewLayers {
        /// The strategy.
        strategy: String,
        /// Number of layers in the model.
        layers: usize,
    },
    /// `layers:…` names a layer that the model does not have.
    #[error(
        "strategy {strategy}: the model has no layer {layer}; its layers are 0 to {}",
        layers.saturating_sub(1)
    )]
    NoLayer {
        /// The strategy.
        strategy: String,
        /// The requested layer.
        layer: usize,
        /// Number of layers in the model.
        layers: usize,
    },
    /// `params:…` is not a valid regular expression.
    #[error("strategy {strategy}: not a regular expression: {source}")]
    Pattern {
        /// The strategy.
        strategy: String,
        /// The error in the expression.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// `params:…` matches no parameter.
    #[error(
        "strategy {strategy} matches no parameter of this {model_type} model; the nearest names are {nearest}"
    )]
    NoParameter {
        /// The strategy.
        strategy: String,
        /// The model type of the family.
        model_type: &'static str,
        /// Existing names that are similar.
        nearest: String,
    },
    /// There are no training rows.
    #[error("there are no training rows")]
    NoRows,
    /// No text of a split has a token that can be masked.
    #[error(
        "none of the {rows} {which} texts of {file} has a token that can be masked: the tokenizer knows none of their words, or turns them into special tokens alone; expected texts of the language that the tokenizer was made for, or a tokenizer that `finetune tokenizer train` makes from such texts"
    )]
    NothingToMask {
        /// What the texts are for: training, validation or test.
        which: &'static str,
        /// The number of texts, or of windows of them.
        rows: u64,
        /// The first file that they come from.
        file: PathBuf,
    },
    /// A class has a single training row, where pairs of rows are needed.
    #[error(
        "class {class} has a single training text, but strategy contrastive pairs each text with another of its class; add texts of this class, leave it out, or choose --strategy full"
    )]
    TooFewTexts {
        /// The class.
        class: String,
    },
    /// A schedule has no steps.
    #[error("the schedule has 0 steps; expected at least 1")]
    NoSteps,
    /// The metric for the best model is undefined on the validation rows.
    #[error(
        "metric_for_best_model is {metric}, which is not defined on these {rows} validation rows, whatever the model predicts: it needs {needs}{without}. Choose another, such as --metric-for-best-model {default}, or other validation rows"
    )]
    UndefinedMetric {
        /// The metric.
        metric: Metric,
        /// Number of validation rows.
        rows: u64,
        /// What the metric requires of their labels.
        needs: &'static str,
        /// Text that lists the classes without rows; empty if there are none.
        without: String,
        /// A metric that is always defined.
        default: Metric,
    },
    /// An adapter to train further needs weights that neither it nor the base model has.
    #[error(
        "neither the base model {} nor the adapter {} has {}, so they would stay random; use the base model that has them, or begin a new adapter with --strategy",
        base.display(),
        adapter.display(),
        missing.join(", ")
    )]
    RandomWeights {
        /// The base model's directory.
        base: PathBuf,
        /// The adapter's directory.
        adapter: PathBuf,
        /// Names of the missing weights.
        missing: Vec<String>,
    },
    /// An adapter to train further needs a new head, but does not train its head.
    #[error(
        "the adapter {} trains no head, and the base model's head cannot be used: {why}",
        adapter.display()
    )]
    NoHead {
        /// The adapter's directory.
        adapter: PathBuf,
        /// Why the base model's head cannot be used.
        why: String,
    },
    /// A model or adapter was trained for other labels, and nothing says that it gets a new head.
    #[error(
        "the head of {} cannot be kept: {why}. To train its encoder with a new head, add --reset-head",
        model.display()
    )]
    OtherLabels {
        /// The directory of the model or adapter.
        model: PathBuf,
        /// Why the head cannot be kept; names both lists of labels.
        why: String,
    },
    /// A teacher predicts other labels than those of the rows.
    #[error("the teacher {} cannot teach these labels: {why}", teacher.display())]
    TeacherLabels {
        /// The teacher's directory.
        teacher: PathBuf,
        /// Why; names both lists of labels.
        why: String,
    },
    /// Something of two encoders is compared whose shapes differ.
    #[error(
        "{flag} compares teacher and student, but {key} is {teacher} in the teacher and {student} in the student; leave {flag} out, or choose a student with the same {key}"
    )]
    NotComparable {
        /// The flag that asks for the comparison.
        flag: &'static str,
        /// The key of the configuration that differs.
        key: &'static str,
        /// Its value in the teacher.
        teacher: usize,
        /// Its value in the student.
        student: usize,
    },
    /// Encoders with other tokens are compared token by token.
    #[error(
        "{flag} compares teacher and student token by token, but their tokens differ: they have other tokenizers, or the teacher, which reads {longest} tokens, cuts texts that the student does not; leave {flag} out, give the student the teacher's tokenizer, or cut its texts too with --max-length {longest}"
    )]
    OtherTokens {
        /// The flag that asks for the comparison.
        flag: &'static str,
        /// The number of tokens that the teacher reads.
        longest: usize,
    },
    /// The teacher has changed since the run began.
    #[error(
        "the teacher {} is not the one that the run began with, so its result would differ: the SHA-256 of its files is {now}, but was {was}; restore it, or start another run",
        teacher.display()
    )]
    ChangedTeacher {
        /// The teacher's directory.
        teacher: PathBuf,
        /// The hash in the plan.
        was: String,
        /// The hash now.
        now: String,
    },
    /// Files of the base model have changed since the run began.
    #[error(
        "files of the base model {model} are not those that the run began with, so its result would differ:\n{}\nRestore them, or start another run",
        changed.join("\n")
    )]
    ChangedFiles {
        /// The model's name.
        model: String,
        /// One line per file, with its hashes.
        changed: Vec<String>,
    },
    /// The file of word vectors has changed since the plan was made.
    #[error(
        "{} is not the file of word vectors that the run began with, so its result would differ: its SHA-256 is {now}, but was {was}; restore it, or start another run",
        path.display()
    )]
    ChangedVectors {
        /// The file.
        path: PathBuf,
        /// Its hash in the plan.
        was: String,
        /// Its hash now.
        now: String,
    },
    /// The base model's configuration has changed since the run began.
    #[error(
        "the base model's config.json is not the one that the run began with:\n{}\nRestore it, or start another run",
        changed.join("\n")
    )]
    ChangedConfig {
        /// One line per key, with its values.
        changed: Vec<String>,
    },
    /// Rows have changed since the run began.
    #[error(
        "the {} rows of {dataset}{} are not those that the run began with: their texts, labels or tokenizer changed; restore them, or start another run",
        changed.join(" and "),
        further.as_ref().map_or(String::new(), |name| format!(", or the texts of {name},"))
    )]
    ChangedRows {
        /// The data set's name.
        dataset: String,
        /// The splits that changed: training, validation, test.
        changed: Vec<&'static str>,
        /// The data set with further training texts, if there is one.
        further: Option<String>,
    },
    /// The plan to resume with differs from the run's.
    #[error("{}", changed_plan(differences, restore))]
    ChangedPlan {
        /// The differences that are neither harmless nor accepted.
        differences: Vec<Difference>,
        /// Options that revert the differences made in `plan.toml`.
        restore: Vec<String>,
    },
    /// The stored state of a run cannot be used.
    #[error("cannot resume from {}: {problem}", path.display())]
    StateFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The stored state of an observer is invalid.
    #[error("the checkpoint's state of {observer} is {found}; expected {expected}")]
    ObserverState {
        /// The observer's name.
        observer: &'static str,
        /// The stored state.
        found: String,
        /// The expected state.
        expected: &'static str,
    },
    /// A saved state does not fit the model or the settings.
    #[error(
        "the saved state of the {what} does not fit: {problem}. It belongs to another model or other settings; start a new run instead"
    )]
    State {
        /// The owner of the state.
        what: &'static str,
        /// What does not fit.
        problem: String,
    },
    /// A directory cannot be used as the run directory.
    #[error("cannot use {path} as the run directory: {problem}; choose another with --output")]
    RunDirectory {
        /// The directory.
        path: PathBuf,
        /// The reason.
        problem: String,
        /// The system's error, if that is the reason.
        source: Option<std::io::Error>,
    },
    /// A directory does not belong to a run.
    #[error("{} is not the directory of a run: {problem}; expected one that `finetune train`, `pretrain` or `distill` wrote", path.display())]
    NoRun {
        /// The directory.
        path: PathBuf,
        /// The reason.
        problem: String,
    },
    /// A file of the run is damaged.
    #[error("{} is damaged: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// `finetune.json` of a model is invalid.
    #[error("{} is damaged: {problem}; restore it, or delete it and specify columns and lengths yourself", path.display())]
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
    /// An assumption of the engine is violated.
    #[error("{0}")]
    Internal(String),
    /// Features of frozen layers could not be stored on disk.
    #[error(
        "cannot keep the features of the frozen layers in a temporary file in {directory}: {source}; free space there, or have them computed each time with --set feature_cache.disk_bytes=0"
    )]
    FeatureDisk {
        /// The file's directory.
        directory: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Features of frozen layers do not fit into memory.
    #[error(
        "the features of the frozen layers need {bytes} bytes of memory, which are not available; lower --set feature_cache.memory_bytes"
    )]
    FeatureMemory {
        /// Number of bytes needed.
        bytes: u64,
    },
    /// The loss or the gradient norm is no longer finite.
    #[error(
        "step {step}: the loss is {loss} and the gradient norm {gradient_norm} (learning rate {learning_rate:e}); the batch had {rows}. A lower --learning-rate or more --warmup-ratio usually helps. Earlier checkpoints are intact"
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
        /// Where the rows of the batch come from.
        rows: String,
    },
}

impl From<finetune_infer::InferError> for TrainError {
    /// Turns errors that inference only passes on into the engine's own.
    fn from(error: finetune_infer::InferError) -> Self {
        use finetune_infer::InferError;
        match error {
            InferError::Data(error) => Self::Data(error),
            InferError::Model(error) => Self::Model(error),
            InferError::Peft(error) => Self::Peft(error),
            InferError::Metric(error) => Self::Metric(error),
            InferError::Device(error) => Self::Device(error),
            InferError::Interrupted => Self::Interrupted,
            error => Self::Infer(error),
        }
    }
}

impl TrainError {
    /// Returns who can resolve the error.
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
            // The system's error decides if there is one; otherwise something else is in the way.
            Self::RunDirectory { source, .. } => {
                source.as_ref().map_or(ErrorKind::Input, ErrorKind::of)
            }
            Self::NoTokenizer { .. }
            | Self::Value { .. }
            | Self::Conflict { .. }
            | Self::TooFewLayers { .. }
            | Self::NoLayer { .. }
            | Self::Pattern { .. }
            | Self::NoParameter { .. }
            | Self::NoRows
            | Self::NothingToMask { .. }
            | Self::TooFewTexts { .. }
            | Self::NoSteps
            | Self::UndefinedMetric { .. }
            | Self::RandomWeights { .. }
            | Self::OtherLabels { .. }
            | Self::NoHead { .. }
            | Self::TeacherLabels { .. }
            | Self::NotComparable { .. }
            | Self::OtherTokens { .. }
            | Self::ChangedTeacher { .. }
            | Self::ChangedFiles { .. }
            | Self::ChangedVectors { .. }
            | Self::ChangedConfig { .. }
            | Self::ChangedRows { .. }
            | Self::ChangedPlan { .. }
            | Self::StateFile { .. }
            | Self::ObserverState { .. }
            | Self::State { .. }
            | Self::NoRun { .. }
            | Self::Damaged { .. }
            | Self::Settings { .. } => ErrorKind::Input,
            // A diverged run has failed, even if other settings may help; programs that start runs can
            // tell it from a refused run.
            Self::FeatureDisk { .. } | Self::FeatureMemory { .. } | Self::NotFinite { .. } => {
                ErrorKind::Environment
            }
            Self::Internal(_) => ErrorKind::Bug,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io, path::Path};

    use super::*;

    fn file(kind: io::ErrorKind) -> FileError {
        FileError::new("write", Path::new("run/plan.toml"), kind.into())
    }

    #[test]
    fn an_error_has_the_kind_of_its_cause() {
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
