//! Draws rows of a split at random and tokenizes them.

use finetune_data::{Columns, Split, Task, TextTokenizer, TokenizedDataset};

use crate::{error::Failure, resolve::data::tokenize, view::output::say};

/// The number of rows to draw, or 0 for all, and the seed.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    pub rows: u64,
    pub seed: u64,
}

/// Draws rows of `whole` and tokenizes them, or finds their tokens in the cache. If a plain draw misses a
/// class, rows are drawn class by class, and a note says so. Tokenizing the plain draw reveals its classes,
/// so all rows' labels are read only if one is missing.
///
/// # Errors
/// Fails if the rows cannot be read or tokenized.
pub fn tokenize_drawn(
    whole: &Split,
    draw: Draw,
    columns: &Columns,
    labels: &Task,
    tokenizer: &TextTokenizer,
    max_length: usize,
) -> Result<TokenizedDataset, Failure> {
    let plain = whole.shuffle_take(draw.seed, draw.rows)?;
    let tokenized = tokenize(&plain, columns, labels, tokenizer, max_length)?;
    let counts = tokenized.class_counts().unwrap_or_default();
    if plain.len() == whole.len() || !counts.contains(&0) {
        return Ok(tokenized);
    }
    let (drawn, note) = whole.draw(columns, Some(labels), draw.seed, draw.rows)?;
    let Some(note) = note else {
        return Ok(tokenized);
    };
    say!("note: {note}");
    tokenize(&drawn, columns, labels, tokenizer, max_length)
}
