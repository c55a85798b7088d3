//! Counts the words of texts.

use std::ops::ControlFlow;

use ahash::AHashMap;
use compact_str::CompactString;
use rayon::prelude::*;

use super::WordSplitter;
use crate::rows::column::TextArray;
use crate::tokens::caught::catching;
use crate::{Columns, Error, Result, RowBatch, Split};

/// The number of rows whose words one task counts.
const TASK_ROWS: usize = 64;
/// The number of texts that are kept as examples, and of characters of each.
const EXAMPLES: usize = 2;
const EXAMPLE_LENGTH: usize = 60;

/// Words with the number of times that each occurs, in the type that the trainers take.
pub(crate) type Counts = AHashMap<CompactString, u64>;

/// The words of texts.
#[derive(Default)]
pub(crate) struct WordCounts {
    /// The different words.
    pub(crate) words: Counts,
    /// Number of texts.
    pub(crate) texts: u64,
    /// Number of null texts that were skipped.
    pub(crate) skipped: u64,
    /// The beginnings of the first texts.
    pub(crate) examples: Vec<String>,
}

impl WordCounts {
    /// Counts the words in the text columns of splits, one after another.
    pub(crate) fn of(
        texts: &[(Split, Columns)],
        splitter: &WordSplitter<'_>,
        skip_invalid: bool,
        mut progress: impl FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        let mut all = Self::default();
        let mut rows = 0;
        for (split, columns) in texts {
            for batch in split.read(&columns.texts())? {
                let batch = batch?;
                for (index, name) in columns.text.iter().enumerate() {
                    let array = batch.batch.column(index);
                    let texts = TextArray::new(array, name, |row| batch.at(row))?;
                    all.add_column(&texts, name, &batch, splitter, skip_invalid)?;
                }
                rows += batch.batch.num_rows() as u64;
                if progress(rows).is_break() {
                    return Err(Error::Stopped);
                }
            }
        }
        Ok(all)
    }

    fn add_column(
        &mut self,
        texts: &TextArray,
        name: &str,
        batch: &RowBatch,
        splitter: &WordSplitter<'_>,
        skip_invalid: bool,
    ) -> Result<()> {
        let count = batch.batch.num_rows();
        let starts: Vec<_> = (0..count).step_by(TASK_ROWS).collect();
        let parts: Vec<Result<Self>> = starts
            .into_par_iter()
            .map(|start| {
                let mut part = Self::default();
                for row in start..count.min(start + TASK_ROWS) {
                    match texts.get(row) {
                        Some(text) => part.add(text, splitter).map_err(|message| {
                            let place = batch.at(row).to_string();
                            Error::Tokenize { place, message }
                        })?,
                        None if skip_invalid => part.skipped += 1,
                        None => {
                            return Err(Error::NullText {
                                place: batch.at(row),
                                column: name.to_owned(),
                            });
                        }
                    }
                }
                Ok(part)
            })
            .collect();
        for part in parts {
            self.merge(part?);
        }
        Ok(())
    }

    fn add(&mut self, text: &str, splitter: &WordSplitter<'_>) -> Result<(), String> {
        let words = &mut self.words;
        let mut count = |word: &str| match words.get_mut(word) {
            Some(count) => *count += 1,
            None => drop(words.insert(word.into(), 1)),
        };
        catching(|| splitter.split(text, &mut count))?.map_err(|error| error.to_string())?;
        self.texts += 1;
        if self.examples.len() < EXAMPLES && !text.trim().is_empty() {
            self.examples.push(beginning(text.trim()));
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) {
        for (word, count) in other.words {
            *self.words.entry(word).or_default() += count;
        }
        self.texts += other.texts;
        self.skipped += other.skipped;
        let room = EXAMPLES.saturating_sub(self.examples.len());
        self.examples.extend(other.examples.into_iter().take(room));
    }

    /// Returns the words in descending order of their counts, equal ones in the order of their
    /// characters.
    pub(crate) fn sorted(&self) -> Vec<(&str, u64)> {
        let words = self.words.iter();
        let mut words: Vec<_> = words.map(|(word, count)| (word.as_str(), *count)).collect();
        words.par_sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        words
    }
}

/// Returns the first whole words of a text.
fn beginning(text: &str) -> String {
    let Some((end, _)) = text.char_indices().nth(EXAMPLE_LENGTH) else {
        return text.to_owned();
    };
    let cut = &text[..end];
    let blank = cut.rfind(char::is_whitespace);
    cut[..blank.unwrap_or(end)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_ends_with_a_word() {
        assert_eq!(beginning("a b"), "a b");
        let long = format!("{} end", "é".repeat(EXAMPLE_LENGTH - 2));
        assert_eq!(beginning(&long), "é".repeat(EXAMPLE_LENGTH - 2));
        let one = "é".repeat(2 * EXAMPLE_LENGTH);
        assert_eq!(beginning(&one), "é".repeat(EXAMPLE_LENGTH));
    }
}
