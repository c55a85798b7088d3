//! Reads and tokenizes data, with progress.

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

/// Returns the options of reading data files, which stops after a signal.
pub fn read_options(csv: CsvOptions) -> ReadOptions {
    ReadOptions {
        csv,
        stop: Stop::when(interrupt::requested),
        ..ReadOptions::default()
    }
}

/// Prints notes about the data.
pub fn say_notes(notes: &[Note]) {
    for note in notes {
        say!("note: {note}");
    }
}

/// Tokenizes a split, or finds its tokens in the cache.
///
/// # Errors
/// Fails if the rows cannot be read or tokenized, or after a signal.
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
    let no_directory = "there is no cache directory".to_owned();
    let not_kept = tokenized.build_report().not_kept.clone();
    if let Some(reason) = not_kept.or(cache.is_none().then_some(no_directory)) {
        say!(
            "note: tokens are not cached: {reason}; set another directory with {}",
            paths::TOKEN_CACHE_VARIABLES
        );
    }
    if let CacheSource::Rebuilt(reason) = &tokenized.build_report().source {
        say!(
            "note: the cached tokens of {} were damaged ({reason}) and have been rebuilt",
            split.name()
        );
    }
    Ok(tokenized)
}

/// Describes tokenized rows in one line.
pub fn describe(data: &TokenizedDataset) -> String {
    let lengths = data.lengths();
    let truncated = match data.truncated_rows() {
        0 => "none truncated".to_string(),
        rows => format!("{} rows truncated to {}", count(rows), data.max_length()),
    };
    format!(
        "{} rows, {:.1} tokens on average, longest {}, {truncated}",
        count(data.len()),
        lengths.mean,
        lengths.max
    )
}
