//! The texts to predict, from a file, standard input or arguments.

use std::{
    io::{BufReader, stdin},
    path::Path,
    sync::Arc,
};

use finetune_data::{
    Columns, Dataset, Error, TextRow, arrow::datatypes::SchemaRef, is_text_file, text_lines,
};

use crate::{
    cli::args::{ColumnArguments, CsvArguments},
    error::Failure,
    resolve::{
        data::{read_options, say_notes},
        kept::Kept,
    },
    view::{predictions::row::Row, terminal::Texts},
};

/// The arguments that name texts.
pub struct Given<'a> {
    pub texts: &'a [String],
    /// Pairs of texts, one after the other.
    pub pair: &'a [String],
    pub file: Option<&'a Path>,
    pub columns: &'a ColumnArguments,
    pub csv: &'a CsvArguments,
}

/// The texts to predict, and the properties of their source.
pub struct Source {
    pub rows: Box<dyn Iterator<Item = Result<Row, Error>> + Send>,
    /// Whether rows are pairs of texts.
    pub pairs: bool,
    /// Whether a user may wait for an answer before giving the next row.
    pub live: bool,
    /// The columns of the rows' origins, if they have any.
    pub schema: Option<SchemaRef>,
}

impl Source {
    /// Opens the source that the arguments name. With `whole_rows`, all columns of a file are read.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or if texts do not fit a model of pairs or of single texts.
    pub fn open(given: &Given<'_>, kept: &Kept, whole_rows: bool) -> Result<Self, Failure> {
        let texts = given.texts;
        if let [first, second, ..] = given.pair {
            kept.check_pairs(first, second)?;
            let pairs = given.pair.chunks_exact(2);
            let pairs = pairs.map(|pair| (pair[0].clone(), Some(pair[1].clone())));
            return Ok(Self {
                pairs: true,
                ..Self::typed(pairs.collect())
            });
        }
        match given.file {
            Some(path) => Self::data_file(path, given, kept, whole_rows),
            None if texts.is_empty() => {
                kept.check_single_texts(&[])?;
                let lines = text_lines(BufReader::new(stdin()), "standard input");
                Ok(Self {
                    live: true,
                    ..Self::lines(lines)
                })
            }
            None => {
                kept.check_single_texts(texts)?;
                let texts = texts.iter().map(|text| (text.clone(), None));
                Ok(Self::typed(texts.collect()))
            }
        }
    }

    fn data_file(
        path: &Path,
        given: &Given<'_>,
        kept: &Kept,
        whole_rows: bool,
    ) -> Result<Self, Failure> {
        let is_text = is_text_file(path);
        if is_text {
            kept.check_single_texts(&[])?;
        }
        let options = read_options(kept.csv(given.csv.options()));
        let dataset = Dataset::open_file_with(path, &options)?;
        let split = dataset.split("train")?;
        say_notes(&dataset.notes());
        let named = &given.columns.text_column;
        let columns = match is_text {
            // Lines have no column whose name could be noted.
            true => Columns::resolve(&split, named, &[], false)?,
            false => kept.columns(&split, named, &[], None)?,
        };
        let (schema, batches) = split.rows_with_texts(&columns, whole_rows)?;
        let rows = batches.flat_map(move |rows| match rows {
            Err(error) => vec![Err(error)],
            Ok(rows) => {
                let batch = whole_rows.then(|| Arc::new(rows.rows.batch));
                let texts = rows.texts.into_iter().enumerate();
                let row = |(index, texts)| Row {
                    texts,
                    origin: batch.clone().map(|batch| (batch, index)),
                };
                texts.map(|row_texts| Ok(row(row_texts))).collect()
            }
        });
        Ok(Self {
            rows: Box::new(rows),
            pairs: columns.is_pair(),
            live: false,
            schema: whole_rows.then_some(schema),
        })
    }

    fn lines(rows: impl Iterator<Item = Result<TextRow, Error>> + Send + 'static) -> Self {
        Self::of(rows.map(|row| row.map(|row| (row.first, row.second))))
    }

    fn typed(texts: Vec<Texts>) -> Self {
        Self::of(texts.into_iter().map(Ok))
    }

    fn of(texts: impl Iterator<Item = Result<Texts, Error>> + Send + 'static) -> Self {
        let row = |texts| Row {
            texts: Some(texts),
            origin: None,
        };
        Self {
            rows: Box::new(texts.map(move |texts| texts.map(row))),
            pairs: false,
            live: false,
            schema: None,
        }
    }
}
