//! `finetune predict`: predicts the labels of texts.

mod chunks;
pub(crate) mod source;
mod timings;

use std::{process::ExitCode, time::Instant};

use finetune_infer::device;

use self::{
    chunks::Chunks,
    source::{Given, Source},
    timings::Timings,
};
use crate::{
    cli::{
        args::{Format, PredictArguments},
        batch_size, interrupt,
    },
    error::Failure,
    resolve::{kept::Kept, model, run_model},
    view::{output::say, predictions::Sink, progress::count},
};

/// The speed is printed for at least this many texts.
const MANY: u64 = 100;

/// Predicts texts. The program was started at `started`.
///
/// # Errors
/// Fails if options are invalid, if model or texts cannot be read, or if the output cannot be written.
pub fn run(arguments: &PredictArguments, started: Instant) -> Result<ExitCode, Failure> {
    interrupt::listen()?;
    interrupt::at_once(true);
    let device = device(&arguments.device)?;
    batch_size::check(arguments.batch_size)?;
    let name = run_model::resolve(&arguments.model)?;
    let kept = Kept::read(&name, arguments.open.revision.as_deref())?;
    let (format, whole_rows) = form(arguments)?;
    let given = Given {
        texts: &arguments.texts,
        pair: &arguments.pair,
        file: arguments.file.as_deref(),
        columns: &arguments.columns,
        csv: &arguments.csv,
    };
    let source = Source::open(&given, &kept, whole_rows)?;
    let mut classifier = model::classifier(&name, kept.found(), &arguments.open, &device)?;
    classifier.set_precision(kept.precision(arguments.precision, &arguments.device)?);
    let model_default = classifier.default_max_length();
    let max_length = kept.max_length(arguments.max_length, model_default);
    let encoder = classifier.encoder(max_length, source.pairs)?;
    let mut sink = Sink::open(
        format,
        whole_rows,
        arguments.output.as_deref(),
        classifier.outputs(),
        source.schema.clone(),
        source.pairs,
    )?;

    let is_file = arguments.file.is_some();
    let mut timings = Timings::ready(started);
    let (mut rows, mut without_text) = (0, 0);
    for chunk in Chunks::begin(source, encoder, arguments.batch_size)? {
        let mut chunk = chunk?;
        let begun = Instant::now();
        let batch_size = arguments.batch_size;
        let predictions =
            classifier.predict_tokens_until(&chunk.tokens, batch_size, interrupt::requested)?;
        timings.add(&chunk, begun.elapsed());
        rows += chunk.rows.len() as u64;
        without_text += (chunk.rows.len() - predictions.len()) as u64;
        if arguments.skip_invalid {
            chunk.rows.retain(|row| row.texts.is_some());
        }
        let mut predictions = predictions.into_iter();
        let row_predictions = chunk.rows.iter().map(|row| match row.texts {
            Some(_) => predictions.next(),
            None => None,
        });
        let row_predictions: Vec<_> = row_predictions.collect();
        sink.write(&chunk.rows, &row_predictions)?;
    }
    sink.finish()?;
    timings.end();
    if is_file && timings.texts >= MANY {
        say!(
            "predicted {} texts in {:.2} s ({:.0} texts/s)",
            count(timings.texts),
            timings.seconds,
            timings.texts as f64 / timings.seconds
        );
    }
    if without_text > 0 {
        let what = match arguments.skip_invalid {
            true if without_text == 1 => " and was skipped",
            true => " and were skipped",
            false if without_text == 1 => "; its prediction is empty",
            false => "; their predictions are empty",
        };
        say!(
            "note: {} of {} rows {} no text{what}",
            count(without_text),
            count(rows),
            if without_text == 1 { "has" } else { "have" }
        );
    }
    if let Some(path) = &arguments.timings {
        timings.write(path)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the output format, from the option or the file's extension, and whether it has whole input rows.
fn form(arguments: &PredictArguments) -> Result<(Format, bool), Failure> {
    let output = arguments.output.as_deref();
    let extension = output.and_then(|path| path.extension());
    let extension = extension.map(|extension| extension.to_ascii_lowercase());
    let format = match (arguments.json, arguments.format) {
        (true, _) => Format::JsonLines,
        (false, Some(format)) => format,
        (false, None) => match extension
            .as_deref()
            .and_then(|extension| extension.to_str())
        {
            Some("csv") => Format::Csv,
            Some("tsv") => Format::Tsv,
            Some("jsonl" | "ndjson" | "json") => Format::JsonLines,
            Some("parquet") => Format::Parquet,
            Some("arrow") => Format::Arrow,
            // Programs that open such a file cannot read a table of aligned columns.
            Some(
                other
                @ ("xlsx" | "xls" | "ods" | "feather" | "ipc" | "gz" | "zst" | "xml" | "html"),
            ) => {
                return Err(Failure::User(format!(
                    "predictions cannot be written as .{other}; name a file that ends in .csv, .tsv, .jsonl, .parquet or .arrow, or choose a format with --format"
                )));
            }
            _ => Format::Table,
        },
    };
    match format {
        Format::Table => Ok((format, false)),
        Format::JsonLines => Ok((format, output.is_some() && arguments.file.is_some())),
        Format::Csv | Format::Tsv => Ok((format, true)),
        Format::Parquet | Format::Arrow if output.is_some() => Ok((format, true)),
        Format::Parquet => Err(Failure::User("--format parquet needs --output FILE".into())),
        Format::Arrow => Err(Failure::User("--format arrow needs --output FILE".into())),
    }
}
