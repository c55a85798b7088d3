//! What can stop loading, predicting or evaluating.

use std::path::PathBuf;

use finetune_files::ErrorKind;
use finetune_task::ProblemType;

use crate::DeviceError;

/// An error of inference.
#[derive(Debug, thiserror::Error)]
pub enum InferError {
    /// The data, or the tokenizer.
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
    /// The device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The caller wanted the work to be left.
    #[error("interrupted")]
    Interrupted,
    /// A tokenizer with more tokens than the model has embeddings.
    #[error(
        "{} has {tokens} tokens, but the vocab_size in config.json beside it is {vocab_size}: they do not belong together",
        file.display()
    )]
    Vocabulary {
        /// The tokenizer's file.
        file: PathBuf,
        /// Tokens that it has.
        tokens: usize,
        /// Tokens that the model has.
        vocab_size: usize,
    },
    /// A model without a trained head, whose predictions would be random.
    #[error(
        "{} holds an encoder without a trained classifier (no {}); train one first with `finetune train --model {}`",
        directory.display(),
        missing.join(", "),
        finetune_data::shell_word(&directory.display().to_string())
    )]
    NoClassifier {
        /// The model's directory.
        directory: PathBuf,
        /// Names of the weights that it lacks.
        missing: Vec<String>,
    },
    /// An adapter whose files name another number of labels than its model has outputs.
    #[error("{} names {names} labels, but the {of} has {outputs} outputs", config.display())]
    AdapterLabels {
        /// The `config.json` beside the adapter.
        config: PathBuf,
        /// Labels named there.
        names: usize,
        /// Whose outputs count.
        of: &'static str,
        /// Their number.
        outputs: usize,
    },
    /// An adapter of another model than the base.
    #[error(
        "the adapter {} was made for another model: {key} is {own} in the config.json beside it, and {base} in the base model's",
        adapter.display()
    )]
    OtherModel {
        /// The adapter's directory.
        adapter: PathBuf,
        /// The key of `config.json` in which they differ.
        key: &'static str,
        /// Its value beside the adapter.
        own: String,
        /// Its value in the base model.
        base: String,
    },
    /// Weights that neither base model nor adapter has.
    #[error(
        "neither the base model {} nor the adapter {} has {}, so predictions would be random; open the adapter on the base model that has them, or train it again with these modules saved (modules_to_save = {modules:?})",
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
        /// The modules that they belong to.
        modules: Vec<String>,
    },
    /// An adapter whose base model is not on this machine.
    #[error(
        "{} is an adapter of \"{base_model}\", which is not a directory here; get that model and give both to Classifier::load_adapter",
        adapter.display()
    )]
    NoBase {
        /// The adapter's directory.
        adapter: PathBuf,
        /// The base model that it names.
        base_model: String,
    },
    /// An adapter with a tokenizer of its own.
    #[error(
        "{} has another tokenizer than the base model; an adapter cannot bring one",
        adapter.display()
    )]
    OtherTokenizer {
        /// The adapter's directory.
        adapter: PathBuf,
    },
    /// No adapter has this name.
    #[error("there is no adapter \"{name}\"; {known}")]
    UnknownAdapter {
        /// The name asked for.
        name: String,
        /// The names that there are, in words.
        known: String,
    },
    /// More or fewer names than the model has outputs.
    #[error("{} labels are named ({}), but the model has {outputs}", names.len(), names.join(", "))]
    NameCount {
        /// The names given.
        names: Vec<String>,
        /// Outputs of the model.
        outputs: usize,
    },
    /// The same name for two outputs.
    #[error("label \"{name}\" is named twice")]
    NameTwice {
        /// The name.
        name: String,
    },
    /// Names for a model that has others.
    #[error("the model names its labels itself, {}, and not {}", own.join(", "), names.join(", "))]
    OtherNames {
        /// The model's names.
        own: Vec<String>,
        /// The names given.
        names: Vec<String>,
    },
    /// Rows to train on that have no labels.
    #[error("the training rows have no labels")]
    NoLabels,
    /// A class that the model does not have.
    #[error("a training row has class {class}, but the model has {classes} classes")]
    Class {
        /// The class.
        class: u32,
        /// Classes of the model.
        classes: usize,
    },
    /// More or fewer labels than outputs.
    #[error(
        "the training rows have {width} labels each ({found} in all), but the model has {outputs} outputs for {rows} rows"
    )]
    LabelCount {
        /// Labels of each row.
        width: usize,
        /// Labels of the batch.
        found: usize,
        /// Outputs of the model.
        outputs: usize,
        /// Rows of the batch.
        rows: usize,
    },
    /// More or fewer classes than rows.
    #[error("the batch has {found} classes for {rows} rows; expected one each")]
    ClassCount {
        /// Classes of the batch.
        found: usize,
        /// Rows of the batch.
        rows: usize,
    },
    /// Labels of another task than the model's.
    #[error("the labels of the batch are not those of {problem_type}")]
    OtherLabels {
        /// The model's task.
        problem_type: ProblemType,
    },
    /// Rows to evaluate on whose labels do not fit the model.
    #[error(
        "the labels of the {split} rows do not fit the model, which has {outputs} outputs for {problem_type}"
    )]
    RowLabels {
        /// The rows, by their split.
        split: String,
        /// Outputs of the model.
        outputs: usize,
        /// The model's task.
        problem_type: ProblemType,
    },
    /// A setting of the loss that cannot be, or does not fit the task.
    #[error("{problem}")]
    Loss {
        /// The setting, by its name in the plan.
        key: &'static str,
        /// What was found and what is expected.
        problem: String,
    },
    /// A metric of the caller's with a name that is taken.
    #[error("there is a metric called {name} already; give yours another name")]
    MetricTaken {
        /// The name.
        name: String,
    },
    /// A name that neither the task's metrics nor the caller's have.
    #[error("{error}, {}", own.join(", "))]
    UnknownMetric {
        /// What is wrong, with the task's metrics.
        #[source]
        error: finetune_metrics::MetricError,
        /// The caller's metrics.
        own: Vec<String>,
    },
}

impl InferError {
    /// On whose side the error lies.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Data(error) => error.kind(),
            Self::Model(error) => error.kind(),
            Self::Peft(error) => error.kind(),
            Self::Metric(error) => error.kind(),
            Self::Device(error) => error.kind(),
            Self::Interrupted => ErrorKind::Interrupted,
            Self::Vocabulary { .. }
            | Self::NoClassifier { .. }
            | Self::AdapterLabels { .. }
            | Self::OtherModel { .. }
            | Self::RandomWeights { .. }
            | Self::NoBase { .. }
            | Self::OtherTokenizer { .. }
            | Self::UnknownAdapter { .. }
            | Self::NameCount { .. }
            | Self::NameTwice { .. }
            | Self::OtherNames { .. }
            | Self::NoLabels
            | Self::Class { .. }
            | Self::RowLabels { .. }
            | Self::Loss { .. }
            | Self::MetricTaken { .. }
            | Self::UnknownMetric { .. } => ErrorKind::Input,
            // The shapes of a batch are the program's.
            Self::LabelCount { .. } | Self::ClassCount { .. } | Self::OtherLabels { .. } => {
                ErrorKind::Bug
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use finetune_files::FileError;

    use super::*;

    #[test]
    fn an_error_is_of_the_kind_of_its_cause() {
        let file = |kind: io::ErrorKind| FileError::new("read", "a".as_ref(), kind.into());
        for (kind, expected) in [
            (io::ErrorKind::NotFound, ErrorKind::Input),
            (io::ErrorKind::TimedOut, ErrorKind::Environment),
        ] {
            let errors: [InferError; 3] = [
                finetune_data::Error::from(file(kind)).into(),
                finetune_models::ModelError::from(file(kind)).into(),
                finetune_peft::PeftError::from(file(kind)).into(),
            ];
            for error in errors {
                assert_eq!(error.kind(), expected, "{kind}: {error:?}");
            }
        }
    }

    #[test]
    fn what_was_given_is_input_and_what_the_program_made_is_not() {
        let unknown = crate::device("tpu").unwrap_err();
        assert_eq!(InferError::from(unknown).kind(), ErrorKind::Input);
        assert_eq!(InferError::NoLabels.kind(), ErrorKind::Input);
        let shape = InferError::ClassCount { found: 1, rows: 2 };
        assert_eq!(shape.kind(), ErrorKind::Bug);
        assert_eq!(InferError::Interrupted.kind(), ErrorKind::Interrupted);
    }
}
