//! What a tokenizer makes of the texts whose words were counted.

use rayon::prelude::*;
use tokenizers::{Model as _, ModelWrapper, Tokenizer};

use super::word_counts::WordCounts;
use crate::tokens::caught::catching;
use crate::{Error, Result};

/// The number of words in one task.
const TASK_WORDS: usize = 1024;
/// The number of unknown words that are listed.
const LISTED: usize = 8;

/// How well a vocabulary covers texts. Special tokens around texts do not count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coverage {
    /// Number of texts.
    pub texts: u64,
    /// Number of null texts, which were skipped.
    pub skipped: u64,
    /// Number of words, as the tokenizer separates them.
    pub words: u64,
    /// Number of different words.
    pub different_words: u64,
    /// Number of tokens.
    pub tokens: u64,
    /// Number of tokens that are unknown.
    pub unknown: u64,
    /// The most frequent words with an unknown token, and how often each occurs.
    pub unknown_words: Vec<(String, u64)>,
    /// The beginnings of the first texts.
    pub examples: Vec<Example>,
}

/// A text and its tokens, without special tokens around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The text.
    pub text: String,
    /// Its tokens.
    pub tokens: Vec<String>,
}

impl Coverage {
    /// Looks up each different word once.
    pub(crate) fn of(tokenizer: &Tokenizer, counts: &WordCounts) -> Result<Self> {
        let failed = |message: String| Error::Tokenize {
            place: "the words of the texts".to_owned(),
            message,
        };
        let words = counts.sorted();
        let model = tokenizer.get_model();
        let unknown = unknown_id(model);
        let parts: Vec<Result<Self>> = words
            .par_chunks(TASK_WORDS)
            .map(|words| {
                let mut part = Self::default();
                for &(word, count) in words {
                    let tokens = catching(|| model.tokenize(word)).map_err(failed)?;
                    let tokens = tokens.map_err(|error| failed(error.to_string()))?;
                    let is_unknown = |token: &&tokenizers::Token| Some(token.id) == unknown;
                    let unknown = tokens.iter().filter(is_unknown).count() as u64;
                    part.words += count;
                    part.tokens += tokens.len() as u64 * count;
                    part.unknown += unknown * count;
                    if unknown > 0 && part.unknown_words.len() < LISTED {
                        part.unknown_words.push((word.to_owned(), count));
                    }
                }
                Ok(part)
            })
            .collect();
        let mut all = Self {
            texts: counts.texts,
            skipped: counts.skipped,
            different_words: counts.words.len() as u64,
            ..Self::default()
        };
        for part in parts {
            let part = part?;
            all.words += part.words;
            all.tokens += part.tokens;
            all.unknown += part.unknown;
            let room = LISTED - all.unknown_words.len();
            all.unknown_words
                .extend(part.unknown_words.into_iter().take(room));
        }
        for text in &counts.examples {
            let encoded = catching(|| tokenizer.encode(text.as_str(), false));
            let encoded = encoded
                .map_err(failed)?
                .map_err(|e| failed(e.to_string()))?;
            all.examples.push(Example {
                text: text.clone(),
                tokens: encoded.get_tokens().to_vec(),
            });
        }
        Ok(all)
    }

    /// Returns the share of the tokens that are unknown.
    pub fn unknown_share(&self) -> f64 {
        self.unknown as f64 / self.tokens.max(1) as f64
    }

    /// Returns the mean number of tokens of a text.
    pub fn tokens_per_text(&self) -> f64 {
        self.tokens as f64 / self.texts.max(1) as f64
    }
}

/// Returns the id of the token that stands for what is not in the vocabulary, if the model has one: that of a
/// character which no text has.
pub(crate) fn unknown_id(model: &ModelWrapper) -> Option<u32> {
    let tokens = catching(|| model.tokenize("\u{10ffff}")).ok()?.ok()?;
    match tokens.as_slice() {
        [only] => Some(only.id),
        _ => None,
    }
}
