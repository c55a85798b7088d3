//! Opening data, and tokenizing with progress.

use std::ops::ControlFlow;

use finetune_data::{
    CacheSource, Columns, CsvOptions, Note, ReadOptions, Split, Stop, Task, TextTokenizer,
    TokenizeOptions, TokenizedDataset,
};

use crate::{
    cli::interrupt,
    error::Failure,
    resolve::paths,
    view::{
        output::{printable, say},
        progress::{ROWS, bar, count},
    },
};

/// How data files are read: until a signal comes.
pub fn read_options(csv: CsvOptions) -> ReadOptions {
    ReadOptions {
        csv,
        stop: Stop::when(interrupt::requested),
        ..ReadOptions::default()
    }
}

/// Says what was noticed about data.
pub fn say_notes(notes: &[Note]) {
    for note in notes {
        say!("note: {note}");
    }
}

/// Tokenizes a split, or finds its tokens in the cache.
pub fn tokenize(
    split: &Split,
    columns: &Columns,
    labels: &Task,
    tokenizer: &TextTokenizer,
    max_length: usize,
) -> Result<TokenizedDataset, Failure> {
    let bar = bar(split.len(), ROWS);
    let message = format!("tokenizing {}", split.name());
    bar.set_message(printable(&message).into_owned());
    let cache = paths::token_cache();
    let options = TokenizeOptions {
        max_length,
        cache_dir: cache.as_deref(),
    };
    let tokenized = TokenizedDataset::build(
        split,
        columns,
        Some(labels),
        tokenizer,
        &options,
        |done, _| {
            bar.set_position(done);
            match interrupt::requested() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        },
    );
    bar.finish_and_clear();
    let tokenized = tokenized?;
    let homeless = "there is no folder for them".to_owned();
    let not_kept = tokenized.build_report().not_kept.clone();
    if let Some(reason) = not_kept.or(cache.is_none().then_some(homeless)) {
        say!(
            "note: tokens are not kept for the next time: {reason}; {} names another folder",
            paths::TOKEN_CACHE_VARIABLES
        );
    }
    if let CacheSource::Rebuilt(reason) = &tokenized.build_report().source {
        say!(
            "note: the cached tokens of {} were damaged ({reason}) and were made again",
            split.name()
        );
    }
    Ok(tokenized)
}

/// One line about tokenized rows.
pub fn describe(data: &TokenizedDataset) -> String {
    let lengths = data.lengths();
    let cut = match data.truncated_rows() {
        0 => "none cut".to_string(),
        rows => format!("{} rows cut at {}", count(rows), data.max_length()),
    };
    format!(
        "{} rows, {:.1} tokens on average, longest {}, {cut}",
        count(data.len()),
        lengths.mean,
        lengths.max
    )
}
