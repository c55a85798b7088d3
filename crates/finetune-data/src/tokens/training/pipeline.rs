//! What surrounds a vocabulary in a `tokenizer.json`: how texts become words, and which special
//! tokens are put around them.

use serde_json::{Value, json};

use super::{CLS, MASK, SEP, SPECIAL_TOKENS, TokenizerKind};

/// What torchtext's `basic_english` does to a text before it is split at blanks.
const BASIC_ENGLISH: [(&str, &str); 11] = [
    ("'", " '  "),
    ("\"", ""),
    (".", " . "),
    ("<br />", " "),
    (",", " , "),
    ("(", " ( "),
    (")", " ) "),
    ("!", " ! "),
    ("?", " ? "),
    (";", " "),
    (":", " "),
];

/// The parts of a tokenizer other than its vocabulary.
pub(super) struct Pipeline {
    pub(super) kind: TokenizerKind,
    pub(super) lowercase: bool,
}

impl Pipeline {
    pub(super) fn new(kind: TokenizerKind, lowercase: bool) -> Self {
        Self { kind, lowercase }
    }

    /// Returns the `tokenizer.json` with this model, or an empty one for null, and with these
    /// special tokens, whose ids are their places.
    pub(super) fn file(&self, model: Value, special: &[&str]) -> Value {
        let added = special.iter().enumerate().map(|(id, text)| {
            json!({
                "id": id,
                "content": text,
                "single_word": false,
                // The blank before a mask belongs to it where a blank would begin the next word.
                "lstrip": *text == MASK && self.kind == TokenizerKind::Bpe,
                "rstrip": false,
                "normalized": false,
                "special": true,
            })
        });
        json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": added.collect::<Vec<_>>(),
            "normalizer": self.normalizer(),
            "pre_tokenizer": self.pre_tokenizer(),
            "post_processor": if special.is_empty() { Value::Null } else { self.post_processor() },
            "decoder": self.decoder(),
            "model": match model {
                Value::Null => json!({"type": "WordLevel", "vocab": {}, "unk_token": ""}),
                model => model,
            },
        })
    }

    fn normalizer(&self) -> Value {
        let lowercase = self.lowercase.then(|| json!({"type": "Lowercase"}));
        let sequence = |all: Vec<Value>| json!({"type": "Sequence", "normalizers": all});
        match self.kind {
            TokenizerKind::WordPiece => json!({
                "type": "BertNormalizer",
                "clean_text": true,
                "handle_chinese_chars": true,
                "strip_accents": null,
                "lowercase": self.lowercase,
            }),
            TokenizerKind::Bpe => lowercase.unwrap_or_default(),
            TokenizerKind::Unigram => {
                let nfkc = json!({"type": "NFKC"});
                sequence([nfkc].into_iter().chain(lowercase).collect())
            }
            TokenizerKind::Words => {
                let replace = |(pattern, content): &(&str, &str)| json!({"type": "Replace", "pattern": {"String": pattern}, "content": content});
                let replaced = BASIC_ENGLISH.iter().map(replace);
                sequence(lowercase.into_iter().chain(replaced).collect())
            }
        }
    }

    fn pre_tokenizer(&self) -> Value {
        match self.kind {
            TokenizerKind::WordPiece => json!({"type": "BertPreTokenizer"}),
            // A word at the start of a text is the same token as elsewhere.
            TokenizerKind::Bpe => json!({
                "type": "ByteLevel",
                "add_prefix_space": true,
                "trim_offsets": true,
                "use_regex": true,
            }),
            TokenizerKind::Unigram => json!({
                "type": "Sequence",
                "pretokenizers": [{"type": "WhitespaceSplit"}, Self::metaspace()],
            }),
            TokenizerKind::Words => json!({"type": "WhitespaceSplit"}),
        }
    }

    fn metaspace() -> Value {
        json!({
            "type": "Metaspace",
            "replacement": "▁",
            "prepend_scheme": "always",
            "split": true,
        })
    }

    fn decoder(&self) -> Value {
        match self.kind {
            TokenizerKind::WordPiece => {
                json!({"type": "WordPiece", "prefix": "##", "cleanup": true})
            }
            TokenizerKind::Bpe => json!({
                "type": "ByteLevel",
                "add_prefix_space": true,
                "trim_offsets": true,
                "use_regex": true,
            }),
            TokenizerKind::Unigram => Self::metaspace(),
            TokenizerKind::Words => Value::Null,
        }
    }

    /// Whole words stand alone, as in torchtext; only the texts of a pair are kept apart. The other
    /// kinds put a token before and after a text, as BERT does.
    fn post_processor(&self) -> Value {
        let token = |text: &str, kind: u8| json!({"SpecialToken": {"id": text, "type_id": kind}});
        let text = |name: &str, kind: u8| json!({"Sequence": {"id": name, "type_id": kind}});
        let (single, pair) = match self.kind {
            TokenizerKind::Words => (
                vec![text("A", 0)],
                vec![text("A", 0), token(SEP, 0), text("B", 1)],
            ),
            _ => (
                vec![token(CLS, 0), text("A", 0), token(SEP, 0)],
                vec![
                    token(CLS, 0),
                    text("A", 0),
                    token(SEP, 0),
                    text("B", 1),
                    token(SEP, 1),
                ],
            ),
        };
        let special = SPECIAL_TOKENS.iter().enumerate();
        let special = special.filter(|(_, text)| [CLS, SEP].contains(text));
        let special = special.map(|(id, text)| {
            let token = json!({"id": text, "ids": [id], "tokens": [text]});
            (text.to_string(), token)
        });
        json!({
            "type": "TemplateProcessing",
            "single": single,
            "pair": pair,
            "special_tokens": special.collect::<serde_json::Map<_, _>>(),
        })
    }
}
