//! `finetune predict`.

mod chunks;
mod source;
mod timings;

use std::{process::ExitCode, time::Instant};

use finetune_train::device;

use self::{chunks::Chunks, source::Source, timings::Timings};
use crate::evaluate::options::most_rows;
use crate::{
    args::{Format, PredictArguments},
    error::Failure,
    model,
    output::say,
    predictions::Sink,
    progress::count,
};

/// Fewer texts than this, and nobody asks how fast it went.
const MANY: u64 = 100;

/// Predicts. The program runs since `started`.
pub fn run(arguments: &PredictArguments, started: Instant) -> Result<ExitCode, Failure> {
    let device = device(&arguments.device)?;
    most_rows(arguments.batch_size)?;
    if arguments.batch_size == 0 {
        return Err(Failure::User(
            "--batch-size is 0; expected at least 1".into(),
        ));
    }
    let source = Source::open(arguments)?;
    let mut classifier = model::classifier(&arguments.model, &arguments.open, &device)?;
    classifier.set_precision(arguments.precision.resolve(&arguments.device));
    let by_default = classifier.default_max_length().min(256);
    let max_length = arguments.max_length.unwrap_or(by_default);
    let encoder = classifier.encoder(max_length, source.pairs)?;
    let format = match arguments.json {
        true => Format::JsonLines,
        false => arguments.format,
    };
    let output = arguments.output.as_deref();
    let mut sink = Sink::open(format, output, classifier.outputs(), source.pairs)?;

    let is_file = arguments.file.is_some();
    let mut timings = Timings::ready(started);
    for chunk in Chunks::begin(source, encoder, arguments.batch_size)? {
        let chunk = chunk?;
        let begun = Instant::now();
        let predictions = classifier.predict_tokens(&chunk.tokens, arguments.batch_size)?;
        timings.add(&chunk, begun.elapsed());
        sink.write(&chunk.texts, &predictions)?;
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
    if let Some(path) = &arguments.timings {
        timings.write(path)?;
    }
    Ok(ExitCode::SUCCESS)
}
