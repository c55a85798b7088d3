//! The errors of loading, prediction and evaluation.

use std::path::PathBuf;

use finetune_files::ErrorKind;
use finetune_task::ProblemType;

use crate::DeviceError;

/// An error of inference.
#[derive(Debug, thiserror::Error)]
pub enum InferError {
    /// An error of the data or the tokenizer.
    #[error(transparent)]
    Data(#[from] finetune_data::Error),
    /// An error of the model or its files.
    #[error(transparent)]
    Model(#[from] finetune_models::ModelError),
    /// An error of an adapter or its files.
    #[error(transparent)]
    Peft(#[from] finetune_peft::PeftError),
    /// An error of a metric.
    #[error(transparent)]
    Metric(#[from] finetune_metrics::MetricError),
    /// The device cannot be used.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The caller stopped the work.
    #[error("interrupted")]
    Interrupted,
    /// The tokenizer has more tokens than the model has embeddings.
    #[error(
        "{} has {tokens} tokens, but the vocab_size in config.json beside it is {vocab_size}: they do not belong together",
        file.display()
    )]
    Vocabulary {
        /// The tokenizer's file.
        file: PathBuf,
        /// Number of tokens of the tokenizer.
        tokens: usize,
        /// Number of tokens of the model.
        vocab_size: usize,
    },
    /// The model has no trained head, so its predictions would be random.
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
    /// The model has no trained head for masked tokens, so its words would be random.
    #[error(
        "{} holds no masked language model (no {}); name one that does, such as bert-base-uncased",
        directory.display(),
        missing.join(", ")
    )]
    NoMaskedLm {
        /// The model's directory.
        directory: PathBuf,
        /// Names of the weights that it lacks.
        missing: Vec<String>,
    },
    /// The tokenizer has no mask token.
    #[error(
        "the tokenizer in {} has no mask token: no file names one (mask_token), and its vocabulary has neither [MASK] nor <mask>",
        directory.display()
    )]
    NoMaskToken {
        /// The model's directory.
        directory: PathBuf,
    },
    /// A text without anything to fill in.
    #[error(
        "no {mask} in the text{}; put one where a word is to be filled in",
        within.map_or_else(String::new, |tokens| format!("'s first {tokens} tokens, which are all that the model reads"))
    )]
    NothingMasked {
        /// The mask token.
        mask: String,
        /// The number of tokens that were read, if the text has more.
        within: Option<usize>,
    },
    /// A mask is beyond the tokens that the model reads.
    #[error(
        "mask {number} of {of} is not among the text's {side} {within} tokens, which are all that the model reads; shorten the text"
    )]
    MaskBeyond {
        /// The number of the first such mask, counted from 1.
        number: usize,
        /// The number of masks in the text.
        of: usize,
        /// The side of the text that was read, first or last.
        side: &'static str,
        /// The number of tokens that were read.
        within: usize,
    },
    /// A text without words, of which nothing can be explained.
    #[error("the text has no words, so there is nothing that a prediction could be attributed to")]
    NothingToExplain,
    /// No output of the model has this name.
    #[error("the model has no class `{name}`; its classes are {}", known.join(", "))]
    UnknownOutput {
        /// The name asked for.
        name: String,
        /// The names of the outputs.
        known: Vec<String>,
    },
    /// The tokenizer lacks the token that stands for an absent word.
    #[error(
        "the tokenizer has no {token} token, with which words would be replaced; choose the other baseline"
    )]
    NoBaseline {
        /// The token: padding or mask.
        token: &'static str,
    },
    /// The number of labels in the adapter's files differs from that of the model's outputs.
    #[error("{} names {names} labels, but the {of} has {outputs} outputs", config.display())]
    AdapterLabels {
        /// The `config.json` beside the adapter.
        config: PathBuf,
        /// Number of labels named there.
        names: usize,
        /// The head that the outputs belong to, in words.
        of: &'static str,
        /// Number of outputs.
        outputs: usize,
    },
    /// The adapter was made for another model than the base.
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
    /// Neither the base model nor the adapter has all weights.
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
    /// The adapter's base model is not on this machine.
    #[error(
        "{} is an adapter of \"{base_model}\", which is not a directory here; obtain that model and pass both to Classifier::load_adapter",
        adapter.display()
    )]
    NoBase {
        /// The adapter's directory.
        adapter: PathBuf,
        /// The base model that it names.
        base_model: String,
    },
    /// The adapter's tokenizer differs from the base model's.
    #[error(
        "the tokenizer of {} differs from the base model's; an adapter must use the same one",
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
        /// The names that exist, in words.
        known: String,
    },
    /// The number of names differs from that of the model's outputs.
    #[error("{} labels are named ({}), but the model has {outputs}", names.len(), names.join(", "))]
    NameCount {
        /// The names given.
        names: Vec<String>,
        /// Outputs of the model.
        outputs: usize,
    },
    /// Two outputs have the same name.
    #[error("label \"{name}\" is named twice")]
    NameTwice {
        /// The name.
        name: String,
    },
    /// The model already has other names.
    #[error("the model already names its labels {}, not {}", own.join(", "), names.join(", "))]
    OtherNames {
        /// The model's names.
        own: Vec<String>,
        /// The names given.
        names: Vec<String>,
    },
    /// The training rows have no labels.
    #[error("the training rows have no labels")]
    NoLabels,
    /// A row has a class that the model does not have.
    #[error("a training row has class {class}, but the model has {classes} classes")]
    Class {
        /// The class.
        class: u32,
        /// Number of classes of the model.
        classes: usize,
    },
    /// The number of labels differs from that of the outputs.
    #[error(
        "the training rows have {width} labels each ({found} in all), but the model has {outputs} outputs for {rows} rows"
    )]
    LabelCount {
        /// Number of labels of each row.
        width: usize,
        /// Number of labels of the batch.
        found: usize,
        /// Number of outputs of the model.
        outputs: usize,
        /// Number of rows of the batch.
        rows: usize,
    },
    /// The number of classes differs from that of the rows.
    #[error("the batch has {found} classes for {rows} rows; expected one per row")]
    ClassCount {
        /// Number of classes of the batch.
        found: usize,
        /// Number of rows of the batch.
        rows: usize,
    },
    /// The labels are of another task than the model's.
    #[error("the labels of the batch are not for {problem_type}")]
    OtherLabels {
        /// The model's task.
        problem_type: ProblemType,
    },
    /// The labels of the rows to evaluate do not fit the model.
    #[error(
        "the labels of the {split} rows do not fit the model, which has {outputs} outputs for {problem_type}"
    )]
    RowLabels {
        /// The split of the rows.
        split: String,
        /// Number of outputs of the model.
        outputs: usize,
        /// The model's task.
        problem_type: ProblemType,
    },
    /// A setting of the loss is invalid or does not fit the task.
    #[error("{problem}")]
    Loss {
        /// Name of the setting in the plan.
        key: &'static str,
        /// The problem, with the expected values.
        problem: String,
    },
    /// The name of a custom metric is already taken.
    #[error("there is already a metric called {name}; give yours another name")]
    MetricTaken {
        /// The name.
        name: String,
    },
    /// No metric, of the task or custom, has this name.
    #[error("{error}, {}", own.join(", "))]
    UnknownMetric {
        /// The error, which lists the task's metrics.
        #[source]
        error: finetune_metrics::MetricError,
        /// Names of the caller's metrics.
        own: Vec<String>,
    },
}

impl InferError {
    /// Returns the kind of error.
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
            | Self::NoMaskedLm { .. }
            | Self::NoMaskToken { .. }
            | Self::NothingMasked { .. }
            | Self::MaskBeyond { .. }
            | Self::NothingToExplain
            | Self::UnknownOutput { .. }
            | Self::NoBaseline { .. }
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
            // The program itself makes the shapes of a batch.
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
    fn an_error_has_the_kind_of_its_cause() {
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
    fn errors_of_arguments_are_input_and_errors_of_shapes_are_bugs() {
        let unknown = crate::device("tpu").unwrap_err();
        assert_eq!(InferError::from(unknown).kind(), ErrorKind::Input);
        assert_eq!(InferError::NoLabels.kind(), ErrorKind::Input);
        let shape = InferError::ClassCount { found: 1, rows: 2 };
        assert_eq!(shape.kind(), ErrorKind::Bug);
        assert_eq!(InferError::Interrupted.kind(), ErrorKind::Interrupted);
    }
}
