//! The files of a trained tokenizer, as transformers' `AutoTokenizer` reads them.

use std::path::Path;

use serde_json::{Map, Value, json};
use tokenizers::Tokenizer;

use super::pipeline::Pipeline;
use super::{CLS, MASK, PAD, SEP, TokenizerKind, UNK};
use crate::{Error, Result};

/// The contents of the files.
#[derive(Clone, Debug)]
pub(super) struct Files {
    tokenizer: String,
    config: String,
    /// `vocab.txt`, a token per line, which tools for BERT read.
    vocabulary: Option<String>,
}

impl Files {
    pub(super) fn new(pipeline: &Pipeline, json: &Value, tokenizer: &Tokenizer) -> Self {
        let lines = || {
            let ids = 0..tokenizer.get_vocab_size(true) as u32;
            let lines = ids.filter_map(|id| tokenizer.id_to_token(id));
            lines.map(|token| token + "\n").collect()
        };
        Self {
            tokenizer: format!("{json:#}\n"),
            config: format!("{:#}\n", config(pipeline)),
            vocabulary: (pipeline.kind == TokenizerKind::WordPiece).then(lines),
        }
    }

    pub(super) fn write(&self, directory: &Path) -> Result<()> {
        let files = [
            ("tokenizer.json", Some(&self.tokenizer)),
            ("tokenizer_config.json", Some(&self.config)),
            ("vocab.txt", self.vocabulary.as_ref()),
        ];
        for (name, content) in files {
            if let Some(content) = content {
                let path = directory.join(name);
                std::fs::write(&path, content).map_err(|e| Error::io(&path, "write", e))?;
            }
        }
        Ok(())
    }
}

/// Returns the `tokenizer_config.json`.
fn config(pipeline: &Pipeline) -> Value {
    let mut config = Map::new();
    let mut set = |key: &str, value: Value| config.insert(key.to_owned(), value);
    match pipeline.kind {
        // transformers builds this class anew from the vocabulary and these settings.
        TokenizerKind::WordPiece => {
            set("tokenizer_class", json!("BertTokenizer"));
            set("do_lower_case", json!(pipeline.lowercase));
            set("strip_accents", Value::Null);
            set("tokenize_chinese_chars", json!(true));
        }
        _ => {
            set("tokenizer_class", json!("PreTrainedTokenizerFast"));
            let inputs = ["input_ids", "token_type_ids", "attention_mask"];
            set("model_input_names", json!(inputs));
        }
    }
    if pipeline.kind == TokenizerKind::Bpe {
        set("add_prefix_space", json!(true));
    }
    for (key, token) in [
        ("pad_token", PAD),
        ("unk_token", UNK),
        ("cls_token", CLS),
        ("sep_token", SEP),
        ("mask_token", MASK),
    ] {
        set(key, json!(token));
    }
    config.into()
}
