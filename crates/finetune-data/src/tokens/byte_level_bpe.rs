//! Builds RoBERTa's byte-level BPE tokenizer as transformers' `RobertaTokenizer` does, from
//! `vocab.json` and `merges.txt` or from the same parts of a `tokenizer.json`.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::{Error, Result};

/// Tokenizer classes that are built in this way.
pub(crate) const CLASSES: [&str; 1] = ["RobertaTokenizer"];
/// Model types whose tokenizers are built in this way if no class is specified.
pub(crate) const MODEL_TYPES: [&str; 1] = ["roberta"];
/// Default special tokens.
pub(crate) const DEFAULTS: [(&str, &str); 7] = [
    ("bos_token", "<s>"),
    ("eos_token", "</s>"),
    ("unk_token", "<unk>"),
    ("sep_token", "</s>"),
    ("pad_token", "<pad>"),
    ("cls_token", "<s>"),
    ("mask_token", "<mask>"),
];

/// The vocabulary and merges of a byte-level BPE.
pub(crate) struct ByteLevelBpe {
    pub vocab: Map<String, Value>,
    merges: Vec<Value>,
}

/// A special token's text and id.
pub(crate) type Special = (String, Value);

impl ByteLevelBpe {
    /// Reads `vocab.json` and `merges.txt`.
    pub fn read(vocab: &Path, merges: &Path) -> Result<Self> {
        let text = read(vocab)?;
        let words: Map<String, Value> = serde_json::from_str(&text).map_err(|error| {
            let problem = format!("it is not a JSON object from token to id ({error})");
            damaged(vocab, &problem)
        })?;
        if let Some((word, id)) = words.iter().find(|(_, id)| id.as_u64().is_none()) {
            return Err(damaged(vocab, &format!("the id of {word:?} is {id}")));
        }
        if words.is_empty() {
            return Err(damaged(vocab, "it is empty"));
        }
        let mut pairs = Vec::new();
        for (number, line) in (1..).zip(read(merges)?.lines()) {
            if line.is_empty() || line.starts_with("#version") {
                continue;
            }
            match line.split(' ').collect::<Vec<_>>()[..] {
                [left, right] => {
                    let known = |word: &str| words.contains_key(word);
                    let merged = format!("{left}{right}");
                    if let Some(word) = [left, right, &merged].into_iter().find(|w| !known(w)) {
                        let problem = format!(
                            "line {number} has {word:?}, which {} does not have",
                            vocab.display()
                        );
                        return Err(damaged(merges, &problem));
                    }
                    pairs.push(json!([left, right]));
                }
                _ => {
                    let problem = format!("line {number} is {line:?}; expected two tokens");
                    return Err(damaged(merges, &problem));
                }
            }
        }
        Ok(Self {
            vocab: words,
            merges: pairs,
        })
    }

    /// Extracts vocabulary and merges from a `tokenizer.json`; returns `None` if its model is of
    /// another kind.
    pub fn of_json(bytes: &[u8]) -> Option<Self> {
        let mut file: Value = serde_json::from_slice(bytes).ok()?;
        let mut model = file.get_mut("model")?.take();
        let (vocab, merges) = (
            model.get_mut("vocab")?.take(),
            model.get_mut("merges")?.take(),
        );
        match (vocab, merges) {
            (Value::Object(vocab), Value::Array(merges)) => Some(Self { vocab, merges }),
            _ => None,
        }
    }

    /// Serializes a `tokenizer.json` with these settings.
    pub fn with(self, settings: Settings) -> Vec<u8> {
        let mut json = settings.json();
        json["model"]["vocab"] = self.vocab.into();
        json["model"]["merges"] = self.merges.into();
        json.to_string().into_bytes()
    }
}

/// What a byte-level BPE needs besides vocabulary and merges.
pub(crate) struct Settings {
    pub added: Vec<Value>,
    pub cls: Special,
    pub sep: Special,
    pub add_prefix_space: bool,
    pub trim_offsets: bool,
    pub truncation: Value,
}

impl Settings {
    /// Builds the `tokenizer.json` without vocabulary and merges.
    pub fn json(self) -> Value {
        let Self {
            added,
            cls,
            sep,
            add_prefix_space,
            trim_offsets,
            truncation,
        } = self;
        json!({
            "version": "1.0",
            "truncation": truncation,
            "padding": null,
            "added_tokens": added,
            "normalizer": null,
            "pre_tokenizer": {
                "type": "ByteLevel",
                "add_prefix_space": add_prefix_space,
                "trim_offsets": true,
                "use_regex": true,
            },
            "post_processor": {
                "type": "RobertaProcessing",
                "sep": [sep.0, sep.1],
                "cls": [cls.0, cls.1],
                "trim_offsets": trim_offsets,
                "add_prefix_space": add_prefix_space,
            },
            "decoder": {
                "type": "ByteLevel",
                "add_prefix_space": true,
                "trim_offsets": true,
                "use_regex": true,
            },
            "model": {
                "type": "BPE",
                "dropout": null,
                "unk_token": null,
                "continuing_subword_prefix": "",
                "end_of_word_suffix": "",
                "fuse_unk": false,
                "byte_fallback": false,
            },
        })
    }
}

fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).map_err(|e| Error::io(path, "read", e))?;
    String::from_utf8(bytes).map_err(|error| damaged(path, &format!("it is not UTF-8 ({error})")))
}

fn damaged(path: &Path, problem: &str) -> Error {
    Error::TokenizerFiles {
        path: path.to_path_buf(),
        message: format!("{problem}; fetch or save it again"),
    }
}
