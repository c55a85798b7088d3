//! The characters that a vocabulary of pieces is built from.

use std::collections::HashSet;

use ahash::AHashMap;

use super::SPECIAL_TOKENS;
use super::long_words::cut;
use crate::tokens::training::word_counts::{Counts, WordCounts};
use crate::{Error, Note, Result};

/// A vocabulary with no more places than this may consist of characters alone.
const SMALL: usize = 256;
/// The largest share of the characters of the texts that a vocabulary may lack.
const LARGEST_LOSS: f64 = 0.05;

/// The characters of a vocabulary.
pub(super) struct Alphabet {
    /// In ascending order.
    pub(super) characters: Vec<char>,
    /// Says that some were left out.
    pub(super) note: Option<Note>,
}

impl Alphabet {
    /// Chooses the most frequent characters of the texts, of which each takes up to `tokens_each`
    /// tokens. They get at most half of a vocabulary of `size` tokens, or all of a small one, so
    /// that texts with thousands of different characters leave room for words.
    ///
    /// # Errors
    /// Fails if too large a part of the texts would be unknown.
    pub(super) fn new(counts: &WordCounts, size: usize, tokens_each: usize) -> Result<Self> {
        let mut frequencies: AHashMap<char, u64> = AHashMap::new();
        for (word, count) in &counts.words {
            for character in word.chars() {
                *frequencies.entry(character).or_default() += count;
            }
        }
        let mut sorted: Vec<_> = frequencies.into_iter().collect();
        sorted.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        // One place is left for a piece of several characters.
        let places = size.saturating_sub(SPECIAL_TOKENS.len() + 1);
        let room = (places / 2).max(places.min(SMALL)) / tokens_each;
        let left_out = sorted.split_off(room.min(sorted.len()));
        let sum = |all: &[(char, u64)]| all.iter().map(|(_, count)| count).sum::<u64>() as f64;
        let loss = sum(&left_out) / (sum(&sorted) + sum(&left_out)).max(1.0);
        if loss > LARGEST_LOSS {
            let all = sorted.len() + left_out.len();
            return Err(Error::Vocabulary {
                message: format!(
                    "a vocabulary of {size} tokens is too small for the {all} different characters of these texts: {:.0} % of the texts would be unknown; use at least {} tokens",
                    100.0 * loss,
                    all * tokens_each * 2 + SPECIAL_TOKENS.len() + 1
                ),
            });
        }
        let note = left_out.first().map(|(character, count)| {
            Note::new(format!(
                "{} rare characters are left out of the vocabulary ({:.2} % of the texts; the most frequent one is {character:?}, {count} times), so that at least half of it is for words; words with them become unknown",
                left_out.len(),
                100.0 * loss,
            ))
        });
        let mut characters: Vec<_> = sorted.into_iter().map(|(c, _)| c).collect();
        characters.sort_unstable();
        Ok(Self { characters, note })
    }

    /// Returns the words to train on, which consist of these characters. Long ones are cut.
    pub(super) fn words(&self, counts: &WordCounts) -> Counts {
        let known = self.known();
        let words = counts
            .words
            .iter()
            .map(|(word, count)| (word.as_str(), *count));
        let words = words.filter(|(word, _)| word.chars().all(|c| known.contains(&c)));
        cut(words, |_| false)
    }

    /// Returns the runs of these characters to train on, where other characters of a word leave the rest of it
    /// known. Long ones are cut.
    pub(super) fn runs(&self, counts: &WordCounts) -> Counts {
        let known = self.known();
        let runs = counts.words.iter().flat_map(|(word, count)| {
            let runs = word.split(|c| !known.contains(&c));
            runs.map(|run| (run, *count))
        });
        cut(runs, |_| false)
    }

    fn known(&self) -> HashSet<char> {
        self.characters.iter().copied().collect()
    }
}
