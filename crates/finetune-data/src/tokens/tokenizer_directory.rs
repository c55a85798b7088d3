//! Builds the tokenizer that the files of a model directory define together, as transformers'
//! `AutoTokenizer` reads them (5.23; 4 did the same).
//!
//! For a BERT, `AutoTokenizer` takes only the vocabulary and the added tokens from
//! `tokenizer.json`, and everything else from `tokenizer_config.json` and its defaults; with
//! `vocab.txt` likewise. For a RoBERTa it does the same with the byte-level BPE of
//! `tokenizer.json`, or of `vocab.json` and `merges.txt`. For other classes it uses
//! `tokenizer.json` as it is, with any further special tokens of `tokenizer_config.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokenizers::{Model as _, ModelWrapper, PostProcessorWrapper, Tokenizer};

use crate::read::regular_file::is_there;
use crate::tokens::byte_level_bpe::{self, ByteLevelBpe};
use crate::tokens::template::Template;
use crate::{Error, Note, Result, TruncationSide};

/// Classes whose tokenizers are built from a vocabulary and settings.
const BERT_CLASSES: [&str; 3] = ["BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer"];
/// Those of them that produce token types.
const TYPED_CLASSES: [&str; 2] = ["BertTokenizer", "ElectraTokenizer"];
const BERT_TYPES: [&str; 3] = ["bert", "distilbert", "electra"];
/// The named special tokens, in the order in which transformers adds them.
const NAMED: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];
/// Default special tokens of a BERT.
const BERT_DEFAULTS: [(&str, &str); 5] = [
    ("unk_token", "[UNK]"),
    ("sep_token", "[SEP]"),
    ("pad_token", "[PAD]"),
    ("cls_token", "[CLS]"),
    ("mask_token", "[MASK]"),
];
/// A length beyond that of any model: transformers writes 10^30 for "unknown".
const UNKNOWN_LENGTH: f64 = 1e9;

/// What the files of a directory say about its tokenizer.
pub(crate) struct Files {
    /// A `tokenizer.json` that replaces the directory's own; `None` if all files agree.
    pub(crate) json: Option<Vec<u8>>,
    /// The file that the tokenizer comes from, for messages.
    pub(crate) origin: String,
    pub(crate) side: Option<TruncationSide>,
    pub(crate) model_max_length: Option<usize>,
    pub(crate) mask_token: Option<String>,
    pub(crate) split_special_tokens: bool,
    /// Whether token types tell a BERT the two texts of a pair apart.
    pub(crate) token_types: bool,
    /// A note for the case that they do not although no file says so.
    pub(crate) no_types_note: Option<Note>,
    pub(crate) notes: Vec<Note>,
}

/// Returns whether a directory contains tokenizer files that
/// [`TextTokenizer::from_directory`](crate::TextTokenizer::from_directory) reads.
pub fn has_tokenizer(directory: &Path) -> bool {
    let has = |name: &str| directory.join(name).is_file();
    has("tokenizer.json") || has("vocab.txt") || (has("vocab.json") && has("merges.txt"))
}

/// Returns the `model_max_length` of a model directory's `tokenizer_config.json`, if it specifies
/// one.
///
/// # Errors
/// Fails if the file exists but cannot be read.
pub fn model_max_length(directory: &Path) -> Result<Option<usize>> {
    let config = object(&directory.join("tokenizer_config.json"))?;
    Ok(config.as_ref().and_then(max_length))
}

fn max_length(config: &Map<String, Value>) -> Option<usize> {
    let length = config.get("model_max_length")?.as_f64()?;
    let is_known = (1.0..UNKNOWN_LENGTH).contains(&length);
    is_known.then_some(length as usize)
}

impl Files {
    /// Reads the files of a directory. `own` is its `tokenizer.json`, if it has one, in bytes and
    /// parsed.
    pub(crate) fn read(directory: &Path, own: Option<(&[u8], &Tokenizer)>) -> Result<Self> {
        let config_path = directory.join("tokenizer_config.json");
        let config = object(&config_path)?;
        let model = object(&directory.join("config.json")).ok().flatten();
        let model = model.unwrap_or_default();
        let has_config = config.is_some();
        let config = config.unwrap_or_default();
        let class = [&config, &model]
            .into_iter()
            .find_map(|settings| settings.get("tokenizer_class")?.as_str());
        let class = class.map(|class| class.strip_suffix("Fast").unwrap_or(class).to_owned());
        let side = match config.get("truncation_side").map(Value::as_str) {
            None => None,
            Some(Some("right")) => Some(TruncationSide::Right),
            Some(Some("left")) => Some(TruncationSide::Left),
            Some(_) => {
                return Err(Error::TokenizerFiles {
                    path: config_path,
                    message: format!(
                        "truncation_side is {}; expected \"right\" or \"left\"",
                        config["truncation_side"]
                    ),
                });
            }
        };
        let model_max_length = max_length(&config);
        let inputs = config.get("model_input_names").and_then(Value::as_array);
        let token_types = inputs.map(|names| names.iter().any(|name| name == "token_type_ids"));
        let settings = Settings::read(directory, config)?;
        let kind = model.get("model_type").and_then(Value::as_str);
        let is_of = |classes: &[&str], kinds: &[&str]| match &class {
            Some(class) => classes.contains(&class.as_str()),
            None => kind.is_some_and(|kind| kinds.contains(&kind)),
        };
        let is_bert = is_of(&BERT_CLASSES, &BERT_TYPES);
        let is_roberta = is_of(&byte_level_bpe::CLASSES, &byte_level_bpe::MODEL_TYPES);
        // Other models do not use token types.
        let has_types = model
            .get("model_type")
            .is_some_and(|kind| kind == "bert" || kind == "electra");
        let no_types_note = class
            .as_deref()
            .filter(|class| !BERT_CLASSES.contains(class));
        let no_types_note = no_types_note.filter(|_| token_types.is_none()).map(|class| {
            Note::new(format!(
                "{}: a {class} gives a BERT no token types, so that both texts of a pair have type 0, as in transformers 5 (4 told them apart; so does \"model_input_names\": [\"input_ids\", \"token_type_ids\", \"attention_mask\"] in that file)",
                config_path.display()
            ))
        });
        let path = directory.join("tokenizer.json");
        let mut files = Self {
            json: None,
            origin: path.display().to_string(),
            side,
            model_max_length,
            mask_token: settings.named("mask_token").map(str::to_owned),
            split_special_tokens: settings.truth("split_special_tokens") == Some(true),
            token_types: !has_types
                || token_types.unwrap_or_else(|| {
                    let gives = |class: &str| TYPED_CLASSES.contains(&class);
                    class.as_deref().is_none_or(gives)
                }),
            no_types_note,
            notes: Vec::new(),
        };
        let Some((bytes, tokenizer)) = own else {
            let (words, merges) = (directory.join("vocab.json"), directory.join("merges.txt"));
            if is_roberta && is_there(&words)? && is_there(&merges)? {
                let bpe = ByteLevelBpe::read(&words, &merges)?;
                let made = settings.roberta(&bpe, Vec::new(), Value::Null);
                files.json = Some(bpe.with(made));
                files.origin = words.display().to_string();
                return Ok(files);
            }
            let vocabulary = directory.join("vocab.txt");
            if !is_there(&vocabulary)? {
                return Err(no_tokenizer(directory));
            }
            if let Some(class) = class.filter(|_| !is_bert) {
                return Err(Error::TokenizerFiles {
                    path: vocabulary,
                    message: format!(
                        "it is the vocabulary of a {class}, which is not made from it alone (only a BertTokenizer is); make a tokenizer.json with transformers: `AutoTokenizer.from_pretrained(\"{0}\").save_pretrained(\"{0}\")`",
                        directory.display()
                    ),
                });
            }
            let words = read_vocabulary(&vocabulary)?;
            let id = |word: &str| words.get(word).and_then(Value::as_u64);
            let made = settings.bert(words.len() as u64, id, Vec::new(), Value::Null);
            files.json = Some(made.with_words(words));
            files.origin = vocabulary.display().to_string();
            return Ok(files);
        };
        let all: OwnFile = serde_json::from_slice(bytes).unwrap_or_default();
        let (model, added) = (tokenizer.get_model(), tokens_of(all.added_tokens.as_ref()));
        let other = match has_config {
            true => "tokenizer_config.json",
            false => "the absent tokenizer_config.json",
        };
        if is_bert && matches!(model, ModelWrapper::WordPiece(_)) {
            let id = |word: &str| model.token_to_id(word).map(u64::from);
            let size = model.get_vocab_size() as u64;
            let truncation = all.truncation.clone().unwrap_or_default();
            let made = settings.bert(size, id, added, truncation);
            let differences = settings.differences(&all, &made.0);
            if !differences.is_empty() {
                files.json = Some(made.with_words(words_of(bytes)));
                files.notes.push(Note::new(format!(
                    "{} and {other} contradict each other ({}); as in transformers, the latter counts",
                    path.display(),
                    differences.join("; ")
                )));
            }
        } else if let (true, Some(bpe)) = (is_roberta, ByteLevelBpe::of_json(bytes)) {
            let truncation = all.truncation.clone().unwrap_or_default();
            let made = |added| settings.roberta(&bpe, added, truncation.clone());
            let differences = roberta_differences(&all, &made(added.clone()).json());
            if !differences.is_empty() {
                let made = made(added);
                files.json = Some(bpe.with(made));
                files.notes.push(Note::new(format!(
                    "{} and {other} contradict each other ({}); as in transformers, the latter counts",
                    path.display(),
                    differences.join("; ")
                )));
            }
        } else {
            let all_added = settings.added(added.clone(), &[]);
            if differing(&added, &all_added).is_some()
                && let Ok(Value::Object(mut json)) = serde_json::from_slice(bytes)
            {
                json.insert("added_tokens".to_owned(), all_added.into());
                files.json = Some(Value::Object(json).to_string().into_bytes());
            }
            if let Some(note) = settings.ignored(&all) {
                files.notes.push(Note::new(format!(
                    "{} and {other} contradict each other ({note}); as in transformers, the former counts for its class of tokenizer",
                    path.display()
                )));
            }
        }
        Ok(files)
    }
}

/// The parts of a `tokenizer.json` that settings may contradict, without the vocabulary, which is
/// most of it.
#[derive(Default, Deserialize)]
struct OwnFile {
    truncation: Option<Value>,
    added_tokens: Option<Value>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    #[serde(default)]
    model: OwnModel,
}

#[derive(Default, Deserialize)]
struct OwnModel {
    unk_token: Option<Value>,
    continuing_subword_prefix: Option<Value>,
    max_input_chars_per_word: Option<Value>,
}

/// A generated `tokenizer.json`, without its vocabulary.
struct Made(Value);

impl Made {
    fn with_words(mut self, words: Map<String, Value>) -> Vec<u8> {
        self.0["model"]["vocab"] = words.into();
        self.0.to_string().into_bytes()
    }
}

/// The contents of `tokenizer_config.json`, supplemented by older files.
struct Settings {
    all: Map<String, Value>,
    /// Added tokens in the order of their ids, if `tokenizer_config.json` lists them; no other file
    /// counts then.
    listed: Option<Vec<Value>>,
    /// Added tokens from `added_tokens.json`.
    older: Vec<Value>,
}

impl Settings {
    fn read(directory: &Path, mut all: Map<String, Value>) -> Result<Self> {
        let listed = all.get("added_tokens_decoder").and_then(Value::as_object);
        let listed = listed.map(|listed| {
            let number = |(number, token): (&String, &Value)| {
                Some((number.parse::<u64>().ok()?, added_token(token, false)?))
            };
            let sorted: BTreeMap<_, _> = listed.iter().filter_map(number).collect();
            sorted.into_values().collect::<Vec<_>>()
        });
        let mut older = Vec::new();
        if listed.is_none() {
            for (key, value) in
                object(&directory.join("special_tokens_map.json"))?.unwrap_or_default()
            {
                all.insert(key, value);
            }
            let added = object(&directory.join("added_tokens.json"))?.unwrap_or_default();
            let mut sorted: Vec<_> = added.iter().collect();
            sorted.sort_by_key(|(_, number)| number.as_u64());
            let named: Vec<&str> = NAMED
                .iter()
                .filter_map(|key| content(all.get(*key)?))
                .collect();
            let tokens = sorted.iter().filter_map(|(text, _)| {
                let special = named.contains(&text.as_str());
                added_token(&json!({"content": text, "special": special}), special)
            });
            older = tokens.collect();
        }
        Ok(Self { all, listed, older })
    }

    fn truth(&self, key: &str) -> Option<bool> {
        self.all.get(key).and_then(Value::as_bool)
    }

    /// Returns the text of a special token, if a file names it.
    fn named(&self, key: &str) -> Option<&str> {
        self.all.get(key).and_then(content)
    }

    /// Returns the text of a BERT's special token.
    fn bert_token(&self, key: &str) -> &str {
        let default = BERT_DEFAULTS.iter().find(|(name, _)| *name == key);
        let own = self.named(key);
        own.unwrap_or(default.map_or("", |(_, default)| default))
    }

    /// Returns all added tokens in the order in which they get ids. `own` are those of
    /// `tokenizer.json`.
    fn added(&self, own: Vec<Value>, defaults: &[(&str, &str)]) -> Vec<Value> {
        let mut added: Vec<Value> = Vec::new();
        let mut put = |token: Value, replaces: bool| {
            let text = token["content"].clone();
            match added.iter_mut().find(|other| other["content"] == text) {
                Some(other) if replaces => *other = token,
                Some(_) => {}
                None => added.push(token),
            }
        };
        match &self.listed {
            // The file's own tokens already have ids, unless the tokenizer is built anew.
            Some(listed) => {
                let kept = if defaults.is_empty() { own } else { Vec::new() };
                kept.into_iter().for_each(|token| put(token, true));
                listed.iter().for_each(|token| put(token.clone(), true));
            }
            None => {
                let older = self.older.iter().cloned();
                own.into_iter()
                    .chain(older)
                    .for_each(|token| put(token, false));
            }
        }
        let mut named = Vec::new();
        for key in NAMED {
            let default = defaults.iter().find(|(name, _)| *name == key);
            let default = default.map(|(_, text)| Value::from(*text));
            let own = self.all.get(key).filter(|token| !token.is_null());
            if let Some(token) = own.cloned().or(default)
                && let Some(token) = added_token(&token, true)
            {
                named.push(token["content"].clone());
                put(token, false);
            }
        }
        let extra = ["extra_special_tokens", "additional_special_tokens"];
        let extra = extra.iter().find_map(|key| match self.all.get(*key)? {
            Value::Array(tokens) => Some(tokens.clone()),
            Value::Object(tokens) => Some(tokens.values().cloned().collect()),
            _ => None,
        });
        for token in extra.iter().flatten() {
            added_token(token, true)
                .into_iter()
                .for_each(|token| put(token, false));
        }
        for token in &mut added {
            if named.contains(&token["content"]) {
                token["special"] = true.into();
            }
        }
        added
    }

    /// Builds the tokenizer that transformers makes of a vocabulary with `size` words and these
    /// ids. The words are inserted afterwards.
    fn bert(
        &self,
        size: u64,
        id: impl Fn(&str) -> Option<u64>,
        own: Vec<Value>,
        truncation: Value,
    ) -> Made {
        let mut added = self.added(own, &BERT_DEFAULTS);
        // Ids are assigned as by tokenizers, regardless of gaps or repetitions in the vocabulary.
        let mut next = size;
        for token in &mut added {
            let id = id(token["content"].as_str().unwrap_or_default()).unwrap_or_else(|| {
                next += 1;
                next - 1
            });
            token["id"] = id.into();
        }
        let special = |key: &str| {
            let text = self.bert_token(key);
            let token = added.iter().find(|token| token["content"] == text);
            (
                text.to_owned(),
                token.map_or(Value::from(0), |token| token["id"].clone()),
            )
        };
        let ((cls, cls_id), (sep, sep_id)) = (special("cls_token"), special("sep_token"));
        let piece = |text: &str, kind: u8| json!({"SpecialToken": {"id": text, "type_id": kind}});
        let text = |text: &str, kind: u8| json!({"Sequence": {"id": text, "type_id": kind}});
        let token = |text: &str, id: &Value| json!({"id": text, "ids": [id], "tokens": [text]});
        let mut special_tokens = Map::new();
        special_tokens.insert(cls.clone(), token(&cls, &cls_id));
        special_tokens.insert(sep.clone(), token(&sep, &sep_id));
        Made(json!({
            "version": "1.0",
            "truncation": truncation,
            "padding": null,
            "added_tokens": added,
            "normalizer": self.bert_normalizer(),
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [piece(&cls, 0), text("A", 0), piece(&sep, 0)],
                "pair": [piece(&cls, 0), text("A", 0), piece(&sep, 0), text("B", 1), piece(&sep, 1)],
                "special_tokens": special_tokens,
            },
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
            "model": {
                "type": "WordPiece",
                "unk_token": self.bert_token("unk_token"),
                "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100,
            },
        }))
    }

    /// Collects the settings for a RoBERTa's tokenizer with this vocabulary and these merges.
    fn roberta(
        &self,
        bpe: &ByteLevelBpe,
        own: Vec<Value>,
        truncation: Value,
    ) -> byte_level_bpe::Settings {
        let mut added = self.added(own, &byte_level_bpe::DEFAULTS);
        let mut next = bpe.vocab.len() as u64;
        for token in &mut added {
            let text = token["content"].as_str().unwrap_or_default();
            let id = bpe.vocab.get(text).and_then(Value::as_u64);
            token["id"] = Value::from(id.unwrap_or_else(|| {
                next += 1;
                next - 1
            }));
        }
        let special = |key: &str| {
            let default = byte_level_bpe::DEFAULTS.iter();
            let default = default.clone().find(|(name, _)| *name == key);
            let own = self.all.get(key).and_then(content);
            let text = own.unwrap_or(default.map_or("", |(_, text)| text));
            let token = added.iter().find(|token| token["content"] == text);
            let id = token.map_or(Value::from(0), |token| token["id"].clone());
            (text.to_owned(), id)
        };
        byte_level_bpe::Settings {
            cls: special("cls_token"),
            sep: special("sep_token"),
            added,
            add_prefix_space: self.truth("add_prefix_space").unwrap_or(false),
            trim_offsets: self.truth("trim_offsets").unwrap_or(true),
            truncation,
        }
    }

    fn bert_normalizer(&self) -> Value {
        json!({
            "type": "BertNormalizer",
            "clean_text": true,
            "handle_chinese_chars": self.truth("tokenize_chinese_chars").unwrap_or(true),
            "strip_accents": self.truth("strip_accents"),
            "lowercase": self.truth("do_lower_case").unwrap_or(true),
        })
    }

    /// Describes where a `tokenizer.json` differs from the generated one.
    fn differences(&self, own: &OwnFile, made: &Value) -> Vec<String> {
        let mut found = Vec::new();
        let (normalizer, wanted) = (&own.normalizer, &made["normalizer"]);
        if normalizer["type"] == "BertNormalizer" {
            found.extend(self.normalizer_differences(normalizer));
        } else {
            found.push(format!(
                "its normalizer is {}, theirs {}",
                normalizer["type"], wanted["type"]
            ));
        }
        let kind = &own.pre_tokenizer["type"];
        if kind != "BertPreTokenizer" {
            found.push(format!(
                "its pre_tokenizer is {kind}, theirs \"BertPreTokenizer\""
            ));
        }
        let keys = [
            ("unk_token", &own.model.unk_token),
            (
                "continuing_subword_prefix",
                &own.model.continuing_subword_prefix,
            ),
            (
                "max_input_chars_per_word",
                &own.model.max_input_chars_per_word,
            ),
        ];
        for (key, own) in keys {
            let made = &made["model"][key];
            // Older files omit default values.
            if let Some(own) = own.as_ref().filter(|own| *own != made) {
                found.push(format!("its {key} is {own}, theirs {made}"));
            }
        }
        found.extend(special_differences(own, made));
        found
    }

    fn normalizer_differences(&self, own: &Value) -> Vec<String> {
        let wanted = self.bert_normalizer();
        let keys = [
            ("lowercase", "do_lower_case"),
            ("handle_chinese_chars", "tokenize_chinese_chars"),
        ];
        let mut found = Vec::new();
        for (key, setting) in keys {
            if own[key] != wanted[key] {
                let said = match self.truth(setting) {
                    Some(value) => format!("{setting} {value}"),
                    None => format!("nothing of {setting}, which means {}", wanted[key]),
                };
                found.push(format!("it says {key} {}, they {said}", own[key]));
            }
        }
        if own["clean_text"] == false {
            found.push("it says clean_text false, they true".to_owned());
        }
        let strips = |normalizer: &Value| {
            let own = normalizer["strip_accents"].as_bool();
            own.unwrap_or(normalizer["lowercase"] == true)
        };
        // If unspecified, accents are stripped together with capitals.
        let same_case = own["lowercase"] == wanted["lowercase"];
        if strips(own) != strips(&wanted)
            && (same_case || own["strip_accents"] != wanted["strip_accents"])
        {
            found.push(format!(
                "it says strip_accents {}, they {}",
                strips(own),
                strips(&wanted)
            ));
        }
        found
    }

    /// Describes the settings that have no effect because `tokenizer.json` is used as it is.
    fn ignored(&self, own: &OwnFile) -> Option<String> {
        let normalizer = &own.normalizer;
        if normalizer["type"] != "BertNormalizer" {
            return None;
        }
        let wanted = self.truth("do_lower_case")?;
        let found = normalizer["lowercase"] == true;
        (wanted != found).then(|| format!("it says lowercase {found}, they do_lower_case {wanted}"))
    }
}

/// Describes where a RoBERTa's `tokenizer.json` differs from the generated one.
fn roberta_differences(own: &OwnFile, made: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if !own.normalizer.is_null() {
        found.push(format!(
            "its normalizer is {}, theirs none",
            own.normalizer["type"]
        ));
    }
    let (own_words, wanted) = (&own.pre_tokenizer, &made["pre_tokenizer"]);
    if own_words["type"] != wanted["type"] {
        let (own, wanted) = (&own_words["type"], &wanted["type"]);
        found.push(format!("its pre_tokenizer is {own}, theirs {wanted}"));
    } else if own_words["add_prefix_space"] != wanted["add_prefix_space"] {
        let (own, wanted) = (&own_words["add_prefix_space"], &wanted["add_prefix_space"]);
        found.push(format!("it says add_prefix_space {own}, they {wanted}"));
    }
    found.extend(special_differences(own, made));
    found
}

/// Describes differences in the special tokens around texts and in the added tokens.
fn special_differences(own: &OwnFile, made: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let templates = |processor: &Value| {
        let processor: Option<PostProcessorWrapper> =
            serde_json::from_value(processor.clone()).ok()?;
        Some([1, 2].map(|texts| Template::of(processor.as_ref(), texts)))
    };
    if templates(&own.post_processor) != templates(&made["post_processor"]) {
        found.push("other special tokens are put around a text".to_owned());
    }
    let added = tokens_of(own.added_tokens.as_ref());
    found.extend(differing(&added, &tokens_of(made.get("added_tokens"))));
    found
}

/// Returns the vocabulary of a `tokenizer.json`.
fn words_of(json: &[u8]) -> Map<String, Value> {
    #[derive(Deserialize)]
    struct File {
        model: Model,
    }
    #[derive(Deserialize)]
    struct Model {
        vocab: Map<String, Value>,
    }
    let file: Result<File, _> = serde_json::from_slice(json);
    file.map(|file| file.model.vocab).unwrap_or_default()
}

/// Describes the first added token that only one of the two has or that they define differently.
fn differing(own: &[Value], made: &[Value]) -> Option<String> {
    const KEYS: [&str; 4] = ["single_word", "lstrip", "rstrip", "normalized"];
    let same = |a: &Value, b: &Value| KEYS.iter().all(|key| a[*key] == b[*key]);
    let named = |tokens: &[Value], text: &Value| {
        tokens
            .iter()
            .find(|token| token["content"] == *text)
            .cloned()
    };
    for token in made {
        match named(own, &token["content"]) {
            None => return Some(format!("it lacks the added token {}", token["content"])),
            Some(other) if !same(token, &other) => {
                return Some(format!("they add the token {} otherwise", token["content"]));
            }
            Some(_) => {}
        }
    }
    let more = own
        .iter()
        .find(|token| named(made, &token["content"]).is_none())?;
    Some(format!("they lack the added token {}", more["content"]))
}

/// Returns the added tokens of a `tokenizer.json`.
fn tokens_of(added: Option<&Value>) -> Vec<Value> {
    let added = added.and_then(Value::as_array).into_iter().flatten();
    added
        .filter_map(|token| added_token(token, false))
        .collect()
}

/// Completes an added token given as a text or an object; `special` is the default for that key.
fn added_token(token: &Value, special: bool) -> Option<Value> {
    let text = content(token).filter(|text| !text.is_empty())?;
    let truth =
        |key: &str, default: bool| token.get(key).and_then(Value::as_bool).unwrap_or(default);
    let special = truth("special", special);
    Some(json!({
        "id": token.get("id").cloned().unwrap_or(Value::from(0)),
        "content": text,
        "single_word": truth("single_word", false),
        "lstrip": truth("lstrip", false),
        "rstrip": truth("rstrip", false),
        "normalized": truth("normalized", !special),
        "special": special,
    }))
}

/// Returns the text of a token, which is written as a string or as an object.
fn content(token: &Value) -> Option<&str> {
    match token {
        Value::String(text) => Some(text),
        other => other.get("content")?.as_str(),
    }
}

/// Reads a vocabulary with one word per line. The last occurrence of a repeated word counts, as in
/// tokenizers.
fn read_vocabulary(path: &Path) -> Result<Map<String, Value>> {
    let bytes = fs::read(path).map_err(|e| Error::io(path, "read", e))?;
    let invalid = |message: String| Error::TokenizerFiles {
        path: path.to_path_buf(),
        message,
    };
    let text = std::str::from_utf8(&bytes)
        .map_err(|error| invalid(format!("it is not UTF-8 ({error}); fetch or save it again")))?;
    let words: Map<String, Value> = (0_u64..)
        .zip(text.lines())
        .map(|(number, word)| (word.trim_end().to_owned(), number.into()))
        .collect();
    match words.is_empty() {
        true => Err(invalid("it is empty; expected a word per line".to_owned())),
        false => Ok(words),
    }
}

fn no_tokenizer(directory: &Path) -> Error {
    let has = |name: &str| directory.join(name).is_file();
    let sentencepiece = ["sentencepiece.bpe.model", "spiece.model", "spm.model"];
    let sentencepiece = sentencepiece.into_iter().find(|name| has(name));
    let found = match (has("vocab.json") && has("merges.txt"), sentencepiece) {
        (true, _) => {
            "it has vocab.json and merges.txt, which are read by themselves for a RobertaTokenizer only"
                .to_owned()
        }
        (false, Some(name)) => format!("it has {name}, which is not read"),
        (false, None) => "it has neither tokenizer.json nor vocab.txt".to_owned(),
    };
    Error::TokenizerFiles {
        path: directory.to_path_buf(),
        message: format!(
            "no tokenizer: {found}; make a tokenizer.json with transformers: `AutoTokenizer.from_pretrained(\"{0}\").save_pretrained(\"{0}\")`",
            directory.display()
        ),
    }
}

/// Reads a JSON object from a file; returns `None` if there is no such file.
fn object(path: &Path) -> Result<Option<Map<String, Value>>> {
    if !is_there(path)? {
        return Ok(None);
    }
    let bytes = fs::read(path).map_err(|e| Error::io(path, "read", e))?;
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| Error::TokenizerFiles {
            path: path.to_path_buf(),
            message: format!("it is not a JSON object ({error}); fetch or save it again"),
        })
}
