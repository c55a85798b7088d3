//! `finetune predict`.

use std::{
    io::{BufReader, stdin},
    process::ExitCode,
};

use finetune_data::{Columns, Dataset, TextRow, text_lines};
use finetune_train::{device, resolve_auto};

use crate::{
    args::{Format, PredictArguments},
    error::Failure,
    model,
    predictions::Sink,
};

type TextRows = Box<dyn Iterator<Item = Result<(String, Option<String>), finetune_data::Error>>>;

pub fn run(arguments: &PredictArguments) -> Result<ExitCode, Failure> {
    let device = device(&arguments.device)?;
    if arguments.batch_size == 0 {
        return Err(Failure::User(
            "--batch-size is 0; expected at least 1".into(),
        ));
    }
    let (rows, pairs) = texts(arguments)?;
    let revision = arguments.revision.as_deref();
    let mut classifier = model::classifier(&arguments.model, revision, None, &device)?;
    let device = resolve_auto(&arguments.device);
    classifier.set_precision(arguments.precision.resolve(&device));
    let encoder = classifier.encoder(arguments.max_length.unwrap_or(256), pairs)?;
    let format = match arguments.json {
        true => Format::JsonLines,
        false => arguments.format,
    };
    let output = arguments.output.as_deref();
    let mut sink = Sink::open(format, output, classifier.outputs(), pairs)?;

    let mut rows = rows.peekable();
    while rows.peek().is_some() {
        let batch = rows
            .by_ref()
            .take(arguments.batch_size)
            .collect::<Result<Vec<_>, _>>()?;
        let predictions = classifier.predict_rows(&batch, &encoder)?;
        sink.write(&batch, &predictions)?;
    }
    sink.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// The texts to predict, and whether they are pairs.
fn texts(arguments: &PredictArguments) -> Result<(TextRows, bool), Failure> {
    let pair = |row: TextRow| (row.first, row.second);
    if let Some(path) = &arguments.file {
        let is_text = path.extension().is_some_and(|extension| extension == "txt");
        if is_text {
            let file = std::fs::File::open(path).map_err(|error| {
                Failure::User(format!("cannot read {}: {error}", path.display()))
            })?;
            let lines = text_lines(BufReader::new(file), &path.display().to_string());
            return Ok((Box::new(lines.map(move |row| row.map(pair))), false));
        }
        let dataset = Dataset::open_file(path)?;
        let split = dataset.split("train")?;
        let columns = Columns::resolve(&split, &arguments.columns.text_column, &[], false)?;
        let rows = split.texts(&columns)?;
        return Ok((
            Box::new(rows.map(move |row| row.map(pair))),
            columns.is_pair(),
        ));
    }
    if arguments.texts.is_empty() {
        let lines = text_lines(BufReader::new(stdin()), "standard input");
        return Ok((Box::new(lines.map(move |row| row.map(pair))), false));
    }
    let texts = arguments.texts.clone().into_iter();
    Ok((Box::new(texts.map(|text| Ok((text, None)))), false))
}
