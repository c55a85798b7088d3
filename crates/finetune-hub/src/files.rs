//! The files that make a model, and what a folder that lacks some of them is told.

use std::path::{Path, PathBuf};

use crate::cache;
use crate::error::HubError;
use crate::local;
use crate::weights;

/// Name of the weights.
pub const WEIGHTS: &str = "model.safetensors";
/// Files that are taken along where they exist.
pub(crate) const OPTIONAL: [&str; 8] = [
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    // What finetune keeps with a model: columns, pairs, lengths.
    "finetune.json",
];

/// Where a model's files came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A directory named by the user.
    Local,
    /// The Hugging Face cache, without any request.
    Cache,
    /// Downloaded now from the hub.
    Hub,
    /// Downloaded now from a Python package index.
    PackageIndex,
}

/// A model whose files are all here. Its weights have yet to be verified, which reads them whole: it
/// can be done on another thread while they are loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundModel {
    /// The name asked for.
    pub name: String,
    /// Folder with `config.json`, weights, a tokenizer and perhaps more.
    pub dir: PathBuf,
    /// Where the files came from.
    pub source: Source,
    /// The commit (or package version) in the cache; `None` for a local directory.
    pub revision: Option<String>,
}

impl FoundModel {
    /// Verifies the weights, each file of them: against the name that the cache gives it, or against
    /// the file of its name and `.sha256` in a directory that has it.
    ///
    /// # Errors
    /// [`HubError::WrongChecksum`]; weights that cannot be read.
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

    /// `tokenizer.json`, which a model with `vocab.txt` alone does not have.
    pub fn tokenizer(&self) -> PathBuf {
        self.dir.join("tokenizer.json")
    }
}

/// A model whose files are all here and whose weights have been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFiles {
    /// The name asked for.
    pub name: String,
    /// Folder with `config.json`, weights, a tokenizer and perhaps more.
    pub dir: PathBuf,
    /// Where the files came from.
    pub source: Source,
    /// The commit (or package version) in the cache; `None` for a local directory.
    pub revision: Option<String>,
    /// The weights, `dir/model.safetensors` or what there is instead: `pytorch_model.bin`, or the index
    /// of either's shards.
    pub weights: PathBuf,
    /// SHA-256 of the weights as 64 hex digits; of several files, that of the list of theirs.
    pub weights_sha256: String,
}

impl ModelFiles {
    /// `config.json`.
    pub fn config(&self) -> PathBuf {
        self.dir.join("config.json")
    }

    /// `tokenizer.json`.
    pub fn tokenizer(&self) -> PathBuf {
        self.dir.join("tokenizer.json")
    }
}

/// The needed files that are not in `dir`.
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

/// Refuses a model that lacks a needed file, with advice that fits what it has instead. `place` is
/// a folder or a repository, `has` tells whether it has a file.
pub(crate) fn check_complete(place: &str, has: impl Fn(&str) -> bool) -> Result<(), HubError> {
    let missing = missing(&has);
    if missing.is_empty() {
        return Ok(());
    }
    let advice = match missing[..] {
        ["tokenizer.json"] if has("sentencepiece.bpe.model") => {
            " sentencepiece.bpe.model is not read: make a tokenizer.json of it with transformers: `AutoTokenizer.from_pretrained(\"…\").save_pretrained(\"…\")`."
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
