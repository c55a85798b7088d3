//! What can stop loading, predicting or evaluating.

use std::path::PathBuf;

use finetune_files::ErrorKind;

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
    /// Names that the model's outputs cannot have.
    #[error("{0}")]
    Names(String),
    /// Labels that do not fit the model.
    #[error("{0}")]
    Labels(String),
    /// A setting of the loss that does not fit the task.
    #[error("{0}")]
    Loss(String),
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
            | Self::Names(_)
            | Self::Labels(_)
            | Self::Loss(_)
            | Self::MetricTaken { .. }
            | Self::UnknownMetric { .. } => ErrorKind::Input,
            Self::Offsets => ErrorKind::Bug,
        }
    }
}
