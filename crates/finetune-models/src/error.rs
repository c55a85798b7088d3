//! The error type of this crate. Its messages say what was expected and what to do.

use std::path::{Path, PathBuf};

use finetune_files::{ErrorKind, FileError};
use finetune_peft::lines;

/// An error of a model directory or of a batch.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The directory lacks a file that every model has.
    #[error(
        "{directory} is not a model directory: it has no {file}; expected config.json and model.safetensors (or pytorch_model.bin, or their shards) as transformers' save_pretrained writes them"
    )]
    MissingFile {
        /// The path of the directory.
        directory: PathBuf,
        /// The name of the missing file.
        file: &'static str,
    },
    /// `config.json` is not a JSON object.
    #[error("{path} is not a JSON object: {reason}")]
    ConfigSyntax {
        /// The path of the file.
        path: PathBuf,
        /// The parser's message.
        reason: String,
    },
    /// A key of `config.json` is missing or has an unusable value.
    #[error("{path}: key \"{key}\": {problem}")]
    Config {
        /// The path of the file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What was found and what was expected.
        problem: String,
    },
    /// The description of a new encoder is not TOML, or has an unknown key or value.
    #[error("{path} does not describe an encoder: {reason}")]
    EncoderSyntax {
        /// The path of the file.
        path: PathBuf,
        /// The parser's message, with the line.
        reason: String,
    },
    /// A setting of a new encoder is missing or unusable.
    #[error("{whose}: {key}: {problem}")]
    Encoder {
        /// The description: a file, or the name of a preset.
        whose: String,
        /// The key of the setting.
        key: &'static str,
        /// What was found and what was expected.
        problem: String,
    },
    /// Layers are chosen that an encoder does not have, or none.
    #[error(
        "layers {chosen:?} are not layers of the encoder, which has {layers}, counted from 0; choose some of 0 to {}",
        layers.saturating_sub(1)
    )]
    Layers {
        /// The chosen layers.
        chosen: Vec<usize>,
        /// Number of layers of the encoder.
        layers: usize,
    },
    /// The safetensors file is damaged or malicious.
    #[error("{path} is not a valid safetensors file: {problem}; fetch or save it again")]
    Weights {
        /// The path of the file.
        path: PathBuf,
        /// What is wrong with the file.
        problem: String,
    },
    /// `pytorch_model.bin` cannot be read, or contains more than weights.
    #[error("{path} cannot be read: {problem}")]
    Torch {
        /// The path of the file.
        path: PathBuf,
        /// What is wrong with the file and what to do.
        problem: String,
    },
    /// The shards of a model do not belong together.
    #[error(
        "{path} and the files that it names do not belong together: {problem}; fetch or save all of them again"
    )]
    Shards {
        /// The path of the index.
        path: PathBuf,
        /// The file and the tensor that do not fit.
        problem: String,
    },
    /// A weight is NaN or infinite.
    #[error(
        "{path}: the weight {tensor} holds {value}; the file is damaged, or its training had diverged: fetch it again, or take another checkpoint"
    )]
    NotFinite {
        /// The path of the file.
        path: PathBuf,
        /// The name of the weight.
        tensor: String,
        /// The value.
        value: f32,
    },
    /// The shapes of some weights contradict the configuration.
    #[error("the weights in {path} do not fit config.json beside it:\n{}", lines(.problems))]
    Mismatch {
        /// The path of the weights file.
        path: PathBuf,
        /// One line per weight: its name, the shape in the file and the expected one.
        problems: Vec<String>,
    },
    /// Weights of the encoder are missing.
    #[error(
        "{path} lacks weights of the {model_type} encoder that config.json beside it describes:\n{}\nIt holds: {}", lines(.missing), .found
    )]
    MissingWeights {
        /// The path of the weights file.
        path: PathBuf,
        /// The family's `model_type`.
        model_type: &'static str,
        /// The missing weights, by transformers' names.
        missing: Vec<String>,
        /// Some of the names that the file does contain.
        found: String,
    },
    /// A batch with a token, position or token type that the model does not have.
    #[error(
        "{what} {value} in the batch, but the model's {key} is {limit}; the tokenizer does not fit the model, or the text is too long"
    )]
    OutOfRange {
        /// What of the batch.
        what: &'static str,
        /// Its number.
        value: u32,
        /// The key of `config.json` that says how many there are.
        key: &'static str,
        /// Their number.
        limit: usize,
    },
    /// A batch with more or fewer of something than tokens.
    #[error("the batch has {found} {what} for {tokens} tokens")]
    BatchLength {
        /// What of the batch.
        what: &'static str,
        /// How many.
        found: usize,
        /// Number of tokens.
        tokens: usize,
    },
    /// A batch with nothing to compute.
    #[error("the batch has no sequences, or one without tokens")]
    EmptyBatch,
    /// Tokens chosen from a batch that it does not have, or in disorder.
    #[error("the places of the chosen tokens are not ascending numbers below {tokens}")]
    Places {
        /// Number of tokens of the batch.
        tokens: usize,
    },
    /// More or fewer ids than masked tokens.
    #[error("{ids} ids for {places} masked tokens")]
    MaskedLength {
        /// Number of places.
        places: usize,
        /// Number of ids.
        ids: usize,
    },
    /// A batch without masked tokens, of which there is no loss.
    #[error("no token of the batch is masked")]
    NothingMasked,
    /// A file with two weights that are one and the same in this model.
    #[error(
        "{path}: {first} and {second} differ, but they are one weight here: a decoder with a weight of its own (\"tie_word_embeddings\": false) is not supported"
    )]
    NotTied {
        /// The path of the weights file.
        path: PathBuf,
        /// The name of the weight.
        first: String,
        /// Its other name.
        second: String,
    },
    /// More or fewer names than outputs.
    #[error("{names} names for a model with {outputs} outputs")]
    NameCount {
        /// Number of names.
        names: usize,
        /// Number of outputs.
        outputs: usize,
    },
    /// An encoder that no model with a mean of tokens can have.
    #[error(
        "a {model_type} model whose embedding_size {embedding_size} is not its hidden_size {hidden_size} cannot become one that pools by the mean"
    )]
    NoMeanPooling {
        /// The family's `model_type`.
        model_type: &'static str,
        /// Width of the embeddings.
        embedding_size: usize,
        /// Width of the hidden states.
        hidden_size: usize,
    },
    /// A parameter of the model that its family's table does not describe.
    #[error("the table of the {model_type} family does not describe the parameter {path}")]
    NotDescribed {
        /// The family's `model_type`.
        model_type: &'static str,
        /// The parameter.
        path: String,
    },
    /// A parameter of which nobody has read the values.
    #[error("no values for {path}")]
    NoValues {
        /// The parameter.
        path: String,
    },
    /// A weight that was asked for and is in none of the files.
    #[error("no weight {name}")]
    NoWeight {
        /// Its name in files.
        name: String,
    },
}

impl ModelError {
    /// Classifies the error. Numbers in a batch come from texts and a tokenizer, so they are input; its
    /// shape is the program's.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::File(error) => error.kind(),
            Self::MissingFile { .. }
            | Self::ConfigSyntax { .. }
            | Self::Config { .. }
            | Self::EncoderSyntax { .. }
            | Self::Encoder { .. }
            | Self::Layers { .. }
            | Self::Weights { .. }
            | Self::Torch { .. }
            | Self::Shards { .. }
            | Self::NotFinite { .. }
            | Self::Mismatch { .. }
            | Self::MissingWeights { .. }
            | Self::NotTied { .. }
            | Self::OutOfRange { .. }
            | Self::NoMeanPooling { .. }
            | Self::NameCount { .. } => ErrorKind::Input,
            Self::BatchLength { .. }
            | Self::EmptyBatch
            | Self::Places { .. }
            | Self::MaskedLength { .. }
            | Self::NothingMasked
            | Self::NotDescribed { .. }
            | Self::NoValues { .. }
            | Self::NoWeight { .. } => ErrorKind::Bug,
        }
    }

    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| FileError::new("read", path, source).into()
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| FileError::new("write", path, source).into()
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn files_that_are_not_there_or_damaged_are_input_and_a_failing_disk_is_not() {
        let kind = |kind: io::ErrorKind| ModelError::read(Path::new("a"))(kind.into()).kind();
        assert_eq!(kind(io::ErrorKind::NotFound), ErrorKind::Input);
        assert_eq!(kind(io::ErrorKind::StorageFull), ErrorKind::Environment);
        let damaged = ModelError::Weights {
            path: "model.safetensors".into(),
            problem: String::new(),
        };
        assert_eq!(damaged.kind(), ErrorKind::Input);
        assert_eq!(ModelError::EmptyBatch.kind(), ErrorKind::Bug);
    }
}
