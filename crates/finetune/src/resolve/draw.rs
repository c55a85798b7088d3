//! Some of the rows of a split, drawn and tokenized.

use finetune_data::{Columns, Split, Task, TextTokenizer, TokenizedDataset};

use crate::{error::Failure, resolve::data::tokenize, view::output::say};

/// How many rows are drawn, and by which seed; 0 rows: all.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    pub rows: u64,
    pub seed: u64,
}

/// Draws rows of `whole` and tokenizes them, or finds their tokens in the cache. Where the plain draw
/// loses a class they are drawn class by class, which is said. The classes of the plain draw are known
/// once it is tokenized, so that the labels of all rows are read only where one is missing.
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
