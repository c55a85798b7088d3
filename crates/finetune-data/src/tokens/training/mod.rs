//! Trains tokenizers on the texts of a data set, with the trainers of the `tokenizers` crate.

mod alphabet;
mod coverage;
mod files;
mod kind;
mod long_words;
mod merges;
mod pipeline;
mod unigram;
pub(crate) mod word_counts;
mod word_splitter;
mod words;

use std::ops::ControlFlow;
use std::path::Path;

use serde_json::Value;
use tokenizers::Tokenizer;

use self::files::Files;
use self::pipeline::Pipeline;
use self::word_counts::WordCounts;
use crate::tokens::caught::catching;
use crate::{Columns, Error, Note, Result, Split};

pub(crate) use self::coverage::unknown_id;
pub use self::coverage::{Coverage, Example};
pub use self::kind::TokenizerKind;
pub(crate) use self::long_words::LONGEST_WORD;
pub(crate) use self::word_splitter::WordSplitter;

/// The special tokens of a trained tokenizer in the order of their ids, from 0.
pub const SPECIAL_TOKENS: [&str; 5] = [PAD, UNK, CLS, SEP, MASK];

const PAD: &str = "[PAD]";
const UNK: &str = "[UNK]";
const CLS: &str = "[CLS]";
const SEP: &str = "[SEP]";
const MASK: &str = "[MASK]";

/// A piece of words has to be seen at least this many times; a rarer one says nothing about others.
pub(crate) const LEAST_COUNT: u64 = 2;

/// How to train a tokenizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizerTraining {
    /// The kind of its vocabulary.
    pub kind: TokenizerKind,
    /// The number of its tokens, special ones included. It is smaller if the texts have fewer.
    pub vocab_size: usize,
    /// Whether texts are turned to lower case.
    pub lowercase: bool,
    /// Whether null texts are skipped; otherwise they are errors.
    pub skip_invalid: bool,
}

/// A trained tokenizer, and what it makes of the texts that it was trained on.
#[derive(Clone, Debug)]
pub struct TrainedTokenizer {
    files: Files,
    /// The number of tokens, special ones included.
    pub vocab_size: usize,
    /// What it makes of the texts.
    pub coverage: Coverage,
    /// What the user should know.
    pub notes: Vec<Note>,
}

/// A vocabulary as the `model` of a `tokenizer.json`, with notes about it.
struct Vocabulary {
    model: Value,
    notes: Vec<Note>,
}

impl TokenizerTraining {
    /// Trains a tokenizer on the text columns of splits. The same rows give the same tokenizer, on
    /// any number of cores. The rows are streamed; memory grows with the number of different words.
    /// `progress` receives the number of rows read so far, and can stop.
    ///
    /// # Errors
    /// Fails if the rows cannot be read, if there is no word in them, and if the vocabulary is too
    /// small for the special tokens and the characters of the texts.
    pub fn train(
        &self,
        texts: &[(Split, Columns)],
        progress: impl FnMut(u64) -> ControlFlow<()>,
    ) -> Result<TrainedTokenizer> {
        let pipeline = Pipeline::new(self.kind, self.lowercase);
        self.check_size()?;
        let empty = parsed(&pipeline.file(Value::Null, &[]))?;
        let splitter = WordSplitter::of(&empty);
        let counts = WordCounts::of(texts, &splitter, self.skip_invalid, progress)?;
        if !counts.words.keys().any(|word| self.kind.has_text(word)) {
            return Err(Error::Vocabulary {
                message: format!(
                    "there is no word in the {} texts of {}; a tokenizer needs texts to learn from",
                    counts.texts,
                    names(texts)
                ),
            });
        }
        let size = self.vocab_size;
        let trained = catching(|| match self.kind {
            TokenizerKind::WordPiece => merges::word_piece(&counts, size),
            TokenizerKind::Bpe => merges::byte_level(&counts, size),
            TokenizerKind::Unigram => unigram::train(&counts, size),
            TokenizerKind::Words => Ok(words::most_frequent(&counts, size)),
        });
        let Vocabulary { model, mut notes } = trained.map_err(|message| Error::Vocabulary {
            message: format!(
                "the trainer of {} failed on these texts: {message}",
                self.kind
            ),
        })??;
        notes.extend(self.long_words(&counts));
        let json = pipeline.file(model, &SPECIAL_TOKENS);
        let tokenizer = parsed(&json)?;
        let mut trained = TrainedTokenizer {
            vocab_size: tokenizer.get_vocab_size(true),
            coverage: Coverage::of(&tokenizer, &counts)?,
            files: Files::new(&pipeline, &json, &tokenizer),
            notes,
        };
        if trained.vocab_size < size {
            trained.notes.push(Note::new(format!(
                "the vocabulary has {} tokens rather than {size}, since the texts give no more{}",
                trained.vocab_size,
                match self.kind {
                    TokenizerKind::WordPiece | TokenizerKind::Bpe =>
                        " (a piece has to occur at least twice)",
                    TokenizerKind::Unigram | TokenizerKind::Words => "",
                }
            )));
        }
        Ok(trained)
    }

    /// Says how many words are too long to be known to a WordPiece tokenizer.
    fn long_words(&self, counts: &WordCounts) -> Option<Note> {
        let words = counts.words.iter();
        let long = words.filter(|(word, _)| word.chars().nth(LONGEST_WORD).is_some());
        let number: u64 = long.map(|(_, count)| count).sum();
        (self.kind == TokenizerKind::WordPiece && number > 0).then(|| {
            Note::new(format!(
                "{number} words of the texts have more than {LONGEST_WORD} characters, which a word-piece tokenizer takes for unknown as a whole; for a language without blanks between words, choose the kind unigram or bpe"
            ))
        })
    }

    /// Rejects a size that leaves no room for what every vocabulary of this kind has.
    fn check_size(&self) -> Result<()> {
        let fixed = SPECIAL_TOKENS.len() + self.kind.fixed_tokens();
        if self.vocab_size > fixed && u32::try_from(self.vocab_size).is_ok() {
            return Ok(());
        }
        Err(Error::Vocabulary {
            message: format!(
                "a vocabulary of {} tokens is {}",
                self.vocab_size,
                match self.vocab_size > fixed {
                    true => "too large; tokens have numbers of 32 bits".to_owned(),
                    false => format!(
                        "too small: {} needs more than {fixed}, since it has {} special tokens{}",
                        self.kind,
                        SPECIAL_TOKENS.len(),
                        match self.kind.fixed_tokens() {
                            0 => String::new(),
                            bytes => format!(" and one for each of {bytes} bytes"),
                        }
                    ),
                }
            ),
        })
    }
}

impl TrainedTokenizer {
    /// Writes the files that transformers' `AutoTokenizer` opens to `directory`, which exists: one
    /// that is published whole, files and all.
    ///
    /// # Errors
    /// Fails if a file cannot be written.
    pub fn write(&self, directory: &Path) -> Result<()> {
        self.files.write(directory)
    }
}

/// Joins the names of splits, for messages.
pub(crate) fn names(texts: &[(Split, Columns)]) -> String {
    let mut names: Vec<_> = texts.iter().map(|(split, _)| split.name()).collect();
    names.dedup();
    names.join(" and ")
}

/// Parses a `tokenizer.json` that this module made.
fn parsed(json: &Value) -> Result<Tokenizer> {
    let bytes = json.to_string().into_bytes();
    let parsed = catching(|| Tokenizer::from_bytes(&bytes));
    let parsed = parsed.and_then(|parsed| parsed.map_err(|error| error.to_string()));
    parsed.map_err(|message| Error::Tokenizer {
        origin: "the trained tokenizer".to_owned(),
        message,
    })
}
