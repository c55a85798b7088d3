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
    cached(&[split], max_length, |options, progress| {
        TokenizedDataset::build(split, columns, Some(labels), tokenizer, options, progress)
    })
}

/// Tokenizes a split and after it the rows of others without labels, each with its columns, or finds their
/// tokens in the cache.
///
/// # Errors
/// Fails if the rows cannot be read or tokenized, if only some have pairs of texts, or after a signal.
pub fn tokenize_with_unlabelled(
    labelled: (&Split, &Columns),
    unlabelled: &[(&Split, &Columns)],
    labels: &Task,
    tokenizer: &TextTokenizer,
    max_length: usize,
) -> Result<TokenizedDataset, Failure> {
    let splits = std::iter::once(&labelled).chain(unlabelled);
    let splits: Vec<_> = splits.map(|(split, _)| *split).collect();
    cached(&splits, max_length, |options, progress| {
        TokenizedDataset::build_with_unlabelled(
            labelled, unlabelled, labels, tokenizer, options, progress,
        )
    })
}

/// Tokenizes the texts of splits, each with its columns, as windows, or finds their tokens in the cache.
///
/// # Errors
/// Fails if the texts cannot be read or tokenized, or after a signal.
pub fn tokenize_windows(
    sources: &[(&Split, &Columns)],
    tokenizer: &TextTokenizer,
    max_length: usize,
) -> Result<TokenizedDataset, Failure> {
    let splits: Vec<_> = sources.iter().map(|(split, _)| *split).collect();
    cached(&splits, max_length, |options, progress| {
        TokenizedDataset::build_windows(sources, tokenizer, options, progress)
    })
}

/// Receives the number of rows done, and of all rows.
type Progress<'a> = &'a mut dyn FnMut(u64, u64) -> ControlFlow<()>;

/// Has splits tokenized by `build` with the user's cache, and shows the progress.
fn cached(
    splits: &[&Split],
    max_length: usize,
    build: impl FnOnce(
        &TokenizeOptions<'_>,
        Progress<'_>,
    ) -> Result<TokenizedDataset, finetune_data::Error>,
) -> Result<TokenizedDataset, Failure> {
    let names: Vec<_> = splits.iter().map(|split| split.name()).collect();
    let names = names.join(" and ");
    let bar = bar(splits.iter().map(|split| split.len()).sum(), ROWS);
    let message = format!("tokenizing {names}");
    bar.set_message(printable(&message).into_owned());
    let cache = paths::token_cache();
    let options = TokenizeOptions {
        max_length,
        cache_dir: cache.as_deref(),
    };
    let tokenized = build(&options, &mut |done, _| {
        bar.set_position(done);
        match interrupt::requested() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
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
        say!("note: the cached tokens of {names} were damaged ({reason}) and have been rebuilt");
    }
    Ok(tokenized)
}

/// Describes tokenized rows in one line.
pub fn describe(data: &TokenizedDataset) -> String {
    let lengths = data.lengths();
    if data.is_windows() {
        return format!(
            "{} texts in {} windows of up to {} tokens, {:.1} on average",
            count(data.splits().map(Split::len).sum()),
            count(data.len()),
            data.max_length(),
            lengths.mean
        );
    }
    let truncated = match data.truncated_rows() {
        0 => "none truncated".to_string(),
        rows => format!("{} rows truncated to {}", count(rows), data.max_length()),
    };
    let unlabelled = match data.len() - data.labelled() {
        0 => String::new(),
        rows => format!(" ({} without labels)", count(rows)),
    };
    format!(
        "{} rows{unlabelled}, {:.1} tokens on average, longest {}, {truncated}",
        count(data.len()),
        lengths.mean,
        lengths.max
    )
}
