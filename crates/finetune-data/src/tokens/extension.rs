//! Adds words of a domain to the vocabulary of an existing tokenizer.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::{Map, Value, json};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{Decoder as _, Model as _, ModelWrapper, Tokenizer};

use crate::tokens::caught::catching;
use crate::tokens::tokenizer::effective_json;
use crate::tokens::training::word_counts::WordCounts;
use crate::tokens::training::{LEAST_COUNT, LONGEST_WORD, WordSplitter, names, unknown_id};
use crate::{Columns, Coverage, Error, Note, Result, Split, TextTokenizer};

/// Files that are written along unchanged.
const COPIED: [&str; 3] = [
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
];
/// How much more likely a new unigram piece is than its parts together, so that it is preferred.
const ADVANTAGE: f64 = 1e-3;
/// The trainer's distance between the least likely piece and an unknown character.
const UNKNOWN_PENALTY: f64 = 10.0;

/// A tokenizer with more words, and what they change.
#[derive(Clone, Debug)]
pub struct ExtendedTokenizer {
    /// The new tokens in the order of their ids, which follow those of all old tokens.
    pub tokens: Vec<NewToken>,
    /// The words that are tokens now, with how often each occurs, in the order in which they were chosen.
    pub words: Vec<(String, u64)>,
    /// What the old vocabulary makes of the texts.
    pub before: Coverage,
    /// What the new one makes of them.
    pub after: Coverage,
    /// What the user should know.
    pub notes: Vec<Note>,
    files: Vec<(&'static str, Vec<u8>)>,
}

/// A token that was added to a vocabulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// Its id.
    pub id: u32,
    /// Its text in the vocabulary.
    pub token: String,
    /// The old tokens that it replaces.
    pub pieces: Vec<u32>,
}

/// A word that could be added.
struct Candidate<'a> {
    word: &'a str,
    count: u64,
    pieces: Vec<u32>,
    /// Number of tokens that it would save.
    saves: u64,
}

impl ExtendedTokenizer {
    /// Adds up to `number` words of the texts to the tokenizer of a model directory: those that save most
    /// tokens, counted over all texts, where an unknown word counts as if it were split into its
    /// characters. Words without a letter and words that occur once are not added. Old tokens keep their
    /// ids.
    ///
    /// A byte-level BPE gets the merges that lead to a word, and a token for each of their results.
    ///
    /// # Errors
    /// Fails if the tokenizer or the rows cannot be read, and if no word can be added.
    pub fn new(
        directory: &Path,
        texts: &[(Split, Columns)],
        number: usize,
        skip_invalid: bool,
        progress: impl FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        let old = TextTokenizer::from_directory(directory)?;
        let mut json = effective_json(directory)?;
        let tokenizer = old.tokenizer();
        let splitter = WordSplitter::of(tokenizer);
        let counts = WordCounts::of(texts, &splitter, skip_invalid, progress)?;
        let unknown = unknown_id(tokenizer.get_model());
        let mut candidates = Vec::new();
        for (word, count) in counts.sorted() {
            candidates.extend(Candidate::of(tokenizer, unknown, word, count)?);
        }
        // The sort is stable: of equal ones the more frequent one comes first.
        candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.saves));
        let found = candidates.len();
        candidates.truncate(number);
        if candidates.is_empty() {
            return Err(Error::Vocabulary {
                message: format!(
                    "there is no word to add: each word that occurs at least {LEAST_COUNT} times in the {} texts of {} is a token already, has no letter, or has more than {LONGEST_WORD} characters",
                    counts.texts,
                    names(texts)
                ),
            });
        }
        let mut vocabulary = Growing::new(tokenizer, old.vocab_size(), &mut json)?;
        for candidate in &candidates {
            vocabulary.add(candidate)?;
        }
        let tokens = vocabulary.finish();
        let bytes = format!("{json:#}\n").into_bytes();
        let new = TextTokenizer::from_bytes(&bytes)?;
        check(&new, &candidates)?;
        let words = candidates.iter();
        let words = words.map(|c| (spelled(tokenizer.get_model(), c.word), c.count));
        let mut notes = Vec::new();
        if found < number {
            notes.push(Note::new(format!(
                "{found} words are added rather than {number}: all others with a letter are tokens already, occur less than {LEAST_COUNT} times, or have more than {LONGEST_WORD} characters"
            )));
        }
        let files = files(directory, new.tokenizer(), &json, bytes, &mut notes)?;
        Ok(Self {
            before: Coverage::of(tokenizer, &counts)?,
            after: Coverage::of(new.tokenizer(), &counts)?,
            words: words.collect(),
            tokens,
            notes,
            files,
        })
    }

    /// Writes the tokenizer's files to `directory`, which exists: one that is published whole.
    ///
    /// # Errors
    /// Fails if a file cannot be written.
    pub fn write(&self, directory: &Path) -> Result<()> {
        for (name, content) in &self.files {
            let path = directory.join(name);
            std::fs::write(&path, content).map_err(|e| Error::io(&path, "write", e))?;
        }
        Ok(())
    }
}

impl<'a> Candidate<'a> {
    /// Looks a word up; `None` if it is not to be added.
    fn of(
        tokenizer: &Tokenizer,
        unknown: Option<u32>,
        word: &'a str,
        count: u64,
    ) -> Result<Option<Self>> {
        let model = tokenizer.get_model();
        let spelled = spelled(model, word);
        let length = spelled.chars().count();
        if count < LEAST_COUNT || length > LONGEST_WORD || !spelled.contains(char::is_alphabetic) {
            return Ok(None);
        }
        let tokens = catching(|| model.tokenize(word)).and_then(|t| t.map_err(|e| e.to_string()));
        let tokens = tokens.map_err(|message| Error::Tokenize {
            place: format!("the word {spelled:?}"),
            message,
        })?;
        let pieces: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        let is_unknown = pieces.iter().any(|id| Some(*id) == unknown);
        let number = if is_unknown {
            length.max(2)
        } else {
            pieces.len()
        };
        let saves = count * (number as u64).saturating_sub(1);
        Ok((saves > 0).then_some(Self {
            word,
            count,
            pieces,
            saves,
        }))
    }
}

/// Spells a word of a vocabulary as people do.
fn spelled(model: &ModelWrapper, word: &str) -> String {
    let spelled = match model {
        ModelWrapper::BPE(_) => {
            let decoded = ByteLevel::default().decode_chain(vec![word.to_owned()]);
            decoded.map_or_else(|_| word.to_owned(), |words| words.concat())
        }
        ModelWrapper::Unigram(_) => word.replace('▁', " "),
        ModelWrapper::WordPiece(_) | ModelWrapper::WordLevel(_) => word.to_owned(),
    };
    spelled.trim().to_owned()
}

/// The vocabulary of a `tokenizer.json` to which words are being added.
struct Growing<'a> {
    tokenizer: &'a Tokenizer,
    model: &'a mut Map<String, Value>,
    /// The id of the next token.
    next: u32,
    tokens: Vec<NewToken>,
    /// New merges of a BPE, in the order in which they apply.
    merges: Vec<(String, String)>,
    /// The ids of new tokens.
    ids: HashMap<String, u32>,
}

impl<'a> Growing<'a> {
    fn new(tokenizer: &'a Tokenizer, size: usize, json: &'a mut Value) -> Result<Self> {
        let model = json.get_mut("model").and_then(Value::as_object_mut);
        let model = model.ok_or_else(|| unsupported("its tokenizer.json has no model"))?;
        // Added tokens have ids behind the vocabulary; there they keep them as members of it.
        let added = tokenizer.get_added_tokens_decoder();
        let mut added: Vec<_> = added.into_iter().collect();
        added.sort_unstable_by_key(|(id, _)| *id);
        let own = tokenizer.get_model();
        for (id, token) in added {
            if own.token_to_id(&token.content).is_none() {
                match model.get_mut("vocab") {
                    Some(Value::Object(vocab)) => {
                        vocab.insert(token.content, id.into());
                    }
                    Some(Value::Array(pieces)) if pieces.len() == id as usize => {
                        pieces.push(json!([token.content, 0.0]));
                    }
                    _ => return Err(unsupported("its added tokens leave gaps between ids")),
                }
            }
        }
        Ok(Self {
            tokenizer,
            model,
            next: size as u32,
            tokens: Vec::new(),
            merges: Vec::new(),
            ids: HashMap::new(),
        })
    }

    fn add(&mut self, candidate: &Candidate<'_>) -> Result<()> {
        let Candidate { word, pieces, .. } = candidate;
        match self.tokenizer.get_model() {
            ModelWrapper::WordPiece(_) | ModelWrapper::WordLevel(_) => {
                self.name(word, pieces.clone())?;
            }
            ModelWrapper::Unigram(_) => self.weigh(word, pieces)?,
            ModelWrapper::BPE(_) => self.merge(pieces)?,
        }
        Ok(())
    }

    /// Gives a token the next id.
    fn name(&mut self, token: &str, pieces: Vec<u32>) -> Result<()> {
        let vocab = self.model.get_mut("vocab").and_then(Value::as_object_mut);
        let vocab = vocab.ok_or_else(|| unsupported("its tokenizer.json has no vocabulary"))?;
        vocab.insert(token.to_owned(), self.next.into());
        self.remember(token, pieces);
        Ok(())
    }

    fn remember(&mut self, token: &str, pieces: Vec<u32>) {
        self.ids.insert(token.to_owned(), self.next);
        self.tokens.push(NewToken {
            id: self.next,
            token: token.to_owned(),
            pieces,
        });
        self.next += 1;
    }

    /// Adds a piece to a unigram model, a little more likely than its parts.
    fn weigh(&mut self, word: &str, parts: &[u32]) -> Result<()> {
        let unknown = self.model.get("unk_id").and_then(Value::as_u64);
        let vocab = self.model.get_mut("vocab").and_then(Value::as_array_mut);
        let vocab = vocab.ok_or_else(|| unsupported("its tokenizer.json has no vocabulary"))?;
        let score = |id: usize| vocab.get(id).and_then(|piece| piece[1].as_f64());
        let least = || (0..vocab.len()).filter_map(score).fold(0.0, f64::min);
        let scores = parts
            .iter()
            .map(|id| match unknown == Some(u64::from(*id)) {
                true => least() - UNKNOWN_PENALTY,
                false => score(*id as usize).unwrap_or_default(),
            });
        let score = scores.sum::<f64>() + ADVANTAGE;
        vocab.push(json!([word, score]));
        self.remember(word, parts.to_vec());
        Ok(())
    }

    /// Adds the merges that lead from the pieces of a word to the word.
    fn merge(&mut self, pieces: &[u32]) -> Result<()> {
        let model = self.tokenizer.get_model();
        let texts = pieces.iter().map(|id| model.id_to_token(*id));
        let texts: Option<Vec<String>> = texts.collect();
        let texts = texts.ok_or_else(|| unsupported("a token of it has no text"))?;
        // Each part with the old tokens that it consists of.
        let mut parts: Vec<(String, Vec<u32>)> = texts
            .into_iter()
            .zip(pieces)
            .map(|(text, id)| (text, vec![*id]))
            .collect();
        // Earlier merges come first, as in the tokenizer.
        for (left, right) in &self.merges {
            apply(&mut parts, left, right);
        }
        while let [(left, _), (right, _), ..] = parts.as_slice() {
            let (left, right) = (left.clone(), right.clone());
            let merged = format!("{left}{right}");
            let ids = parts[..2].iter().flat_map(|(_, ids)| ids.clone()).collect();
            if model.token_to_id(&merged).is_none() && !self.ids.contains_key(&merged) {
                self.name(&merged, ids)?;
            }
            apply(&mut parts, &left, &right);
            self.merges.push((left, right));
        }
        Ok(())
    }

    fn finish(self) -> Vec<NewToken> {
        if let Some(Value::Array(merges)) = self.model.get_mut("merges") {
            // Older files have both in one text.
            let as_text = merges.first().is_some_and(Value::is_string);
            merges.extend(self.merges.into_iter().map(|(left, right)| match as_text {
                true => Value::from(format!("{left} {right}")),
                false => json!([left, right]),
            }));
        }
        self.tokens
    }
}

/// Merges each pair of neighbours that are `left` and `right`.
fn apply(parts: &mut Vec<(String, Vec<u32>)>, left: &str, right: &str) {
    let mut at = 0;
    while at + 1 < parts.len() {
        if parts[at].0 == left && parts[at + 1].0 == right {
            let (text, ids) = parts.remove(at + 1);
            parts[at].0 += &text;
            parts[at].1.extend(ids);
        }
        at += 1;
    }
}

/// Checks that each new word is one token.
fn check(new: &TextTokenizer, candidates: &[Candidate<'_>]) -> Result<()> {
    let model = new.tokenizer().get_model();
    for candidate in candidates {
        let tokens = catching(|| model.tokenize(candidate.word));
        if !matches!(tokens, Ok(Ok(tokens)) if tokens.len() == 1) {
            return Err(unsupported(&format!(
                "the added word {:?} would not be a single token",
                spelled(model, candidate.word)
            )));
        }
    }
    Ok(())
}

/// Returns the files of the extended tokenizer.
fn files(
    directory: &Path,
    tokenizer: &Tokenizer,
    json: &Value,
    bytes: Vec<u8>,
    notes: &mut Vec<Note>,
) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let mut files = vec![("tokenizer.json", bytes)];
    for name in COPIED {
        let path = directory.join(name);
        if path.exists() {
            let content = std::fs::read(&path).map_err(|e| Error::io(&path, "read", e))?;
            files.push((name, content));
        }
    }
    let has = |name: &str| directory.join(name).exists();
    if has("vocab.txt") {
        let tokens: BTreeMap<u32, String> = tokenizer
            .get_vocab(true)
            .into_iter()
            .map(|(token, id)| (id, token))
            .collect();
        let lines: String = tokens.into_values().map(|token| token + "\n").collect();
        files.push(("vocab.txt", lines.into_bytes()));
    }
    if has("vocab.json") {
        files.push((
            "vocab.json",
            json["model"]["vocab"].to_string().into_bytes(),
        ));
    }
    if has("merges.txt") {
        let merges = json["model"]["merges"].as_array();
        let mut lines = "#version: 0.2\n".to_owned();
        for merge in merges.into_iter().flatten() {
            match merge.as_array() {
                Some(pair) => {
                    let pair: Vec<_> = pair.iter().filter_map(Value::as_str).collect();
                    lines += &pair.join(" ");
                }
                None => lines += merge.as_str().unwrap_or_default(),
            }
            lines.push('\n');
        }
        files.push(("merges.txt", lines.into_bytes()));
    }
    const SENTENCE_PIECE: &str = "sentencepiece.bpe.model";
    if has(SENTENCE_PIECE) {
        notes.push(Note::new(format!(
            "{SENTENCE_PIECE} is left out, since it has the old vocabulary; tokenizer.json has the new one"
        )));
    }
    Ok(files)
}

fn unsupported(why: &str) -> Error {
    Error::Vocabulary {
        message: format!("the tokenizer cannot be extended: {why}"),
    }
}
