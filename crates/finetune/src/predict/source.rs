//! The texts to predict: of a file, of standard input, or given as arguments.

use std::{
    fs::File,
    io::{BufReader, stdin},
    path::Path,
};

use finetune_data::{Columns, Dataset, Error, TextRow, regular_file, text_lines};

use crate::{
    args::PredictArguments,
    data::{read_options, say_notes},
    error::Failure,
    terminal::Texts,
};

/// Texts, and what kind of place they come from.
pub struct Source {
    pub rows: Box<dyn Iterator<Item = Result<Texts, Error>> + Send>,
    /// Whether rows are pairs of texts.
    pub pairs: bool,
    /// Whether somebody may be waiting for an answer before there is another row.
    pub live: bool,
}

impl Source {
    /// Opens what the arguments name.
    pub fn open(arguments: &PredictArguments) -> Result<Self, Failure> {
        match &arguments.file {
            Some(path) if path.extension().is_some_and(|extension| extension == "txt") => {
                regular_file(path)?;
                let file = File::open(path).map_err(|error| {
                    Failure::User(format!("cannot read {}: {error}", path.display()))
                })?;
                let name = path.display().to_string();
                Ok(Self::new(text_lines(BufReader::new(file), &name)))
            }
            Some(path) => Self::data_file(path, arguments),
            None if arguments.texts.is_empty() => {
                let lines = text_lines(BufReader::new(stdin()), "standard input");
                Ok(Self {
                    live: true,
                    ..Self::new(lines)
                })
            }
            None => Ok(Self {
                rows: Box::new(
                    arguments
                        .texts
                        .clone()
                        .into_iter()
                        .map(|text| Ok((text, None))),
                ),
                pairs: false,
                live: false,
            }),
        }
    }

    fn data_file(path: &Path, arguments: &PredictArguments) -> Result<Self, Failure> {
        let dataset = Dataset::open_file_with(path, &read_options(arguments.csv.options()))?;
        let split = dataset.split("train")?;
        say_notes(&dataset.notes());
        let columns = Columns::resolve(&split, &arguments.columns.text_column, &[], false)?;
        Ok(Self {
            pairs: columns.is_pair(),
            ..Self::new(split.texts(&columns)?)
        })
    }

    fn new(rows: impl Iterator<Item = Result<TextRow, Error>> + Send + 'static) -> Self {
        Self {
            rows: Box::new(rows.map(|row| row.map(|row| (row.first, row.second)))),
            pairs: false,
            live: false,
        }
    }
}
