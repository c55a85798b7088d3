//! Reads the texts of rows without their labels, for prediction.

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

use crate::arrow::datatypes::{FieldRef, Schema, SchemaRef};

use crate::read::lines::Lines;
use crate::read::{json_text, until_error};
use crate::rows::column::{TextArray, describe};
use crate::{Columns, Error, Place, Result, RowBatch, Split};

/// The text or pair of texts of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextRow {
    /// The place of the row.
    pub place: Place,
    /// The text, or the first of a pair.
    pub first: String,
    /// The second text of a pair.
    pub second: Option<String>,
}

impl Split {
    /// Streams the texts of the rows without tokenizing or caching them.
    ///
    /// # Errors
    /// Fails for an unknown column. Each row fails if its text is null or cannot be read.
    pub fn texts(
        &self,
        columns: &Columns,
    ) -> Result<impl Iterator<Item = Result<TextRow>> + Send + use<>> {
        let names: Vec<String> = columns.text.clone();
        let batches = self.read(&columns.texts())?;
        Ok(batches.flat_map(move |rows| {
            let texts = rows.and_then(|rows| {
                let column = |index: usize| {
                    let name = &names[index];
                    let texts = TextArray::new(rows.batch.column(index), name, |i| rows.at(i))?;
                    let text = |i| {
                        let null = || Error::NullText {
                            place: rows.at(i),
                            column: name.clone(),
                        };
                        texts.get(i).map(str::to_owned).ok_or_else(null)
                    };
                    Ok::<_, Error>(
                        (0..rows.batch.num_rows())
                            .map(text)
                            .collect::<Vec<Result<String>>>(),
                    )
                };
                let first = column(0)?;
                let mut second = match names.len() {
                    2 => Some(column(1)?.into_iter()),
                    _ => None,
                };
                let row = |(i, first): (usize, Result<String>)| {
                    let second = second.as_mut().and_then(Iterator::next).transpose()?;
                    Ok(TextRow {
                        place: rows.at(i),
                        first: first?,
                        second,
                    })
                };
                Ok(first.into_iter().enumerate().map(row).collect::<Vec<_>>())
            });
            texts.unwrap_or_else(|error| vec![Err(error)])
        }))
    }
}

/// Rows with their texts.
#[derive(Clone, Debug)]
pub struct RowsWithTexts {
    /// The rows, with the columns of the schema that was returned with them.
    pub rows: RowBatch,
    /// The text or pair of texts of each row; `None` if one of them is null.
    pub texts: Vec<Option<(String, Option<String>)>>,
}

impl Split {
    /// Streams rows with their texts, at most 1024 at a time, and returns the schema of their
    /// columns: those of the texts or, with `every_column`, all of the file in its order. In the
    /// latter case, columns of nested or mixed JSON become strings of JSON, marked by
    /// [`JSON_TEXT`](crate::JSON_TEXT).
    ///
    /// # Errors
    /// Fails for an unknown column. Each batch fails if it cannot be read.
    pub fn rows_with_texts(
        &self,
        columns: &Columns,
        every_column: bool,
    ) -> Result<(
        SchemaRef,
        impl Iterator<Item = Result<RowsWithTexts>> + Send + use<>,
    )> {
        let wanted = |field: &&FieldRef| every_column || columns.text.contains(field.name());
        let fields = self.schema().fields().iter().filter(wanted);
        let fields: Vec<FieldRef> = fields.map(json_text).collect();
        let metadata = self.schema().metadata().clone();
        let schema = Arc::new(Schema::new_with_metadata(fields, metadata));
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        let text_columns = columns.text.clone();
        let batches = self.stream(&names, true)?.map(move |rows| {
            let rows = rows?;
            let texts = text_columns.iter().map(|name| {
                let column = rows.batch.column_by_name(name);
                let column = column.ok_or_else(|| Error::UnknownColumn {
                    column: name.clone(),
                    available: describe(&rows.batch.schema()),
                })?;
                TextArray::new(column, name, |row| rows.at(row))
            });
            let texts = texts.collect::<Result<Vec<_>>>()?;
            let text = |row: usize| {
                let text = |index: usize| Some(texts.get(index)?.get(row)?.to_owned());
                let second = match texts.len() {
                    2 => Some(text(1)?),
                    _ => None,
                };
                Some((text(0)?, second))
            };
            let texts = (0..rows.batch.num_rows()).map(text).collect();
            Ok(RowsWithTexts { rows, texts })
        });
        Ok((schema, batches))
    }
}

impl Split {
    /// Returns the texts of the rows with these indices (from 0 within the split), in the given
    /// order. This takes one pass over the files and keeps only the requested texts in memory.
    ///
    /// # Errors
    /// [`Error::RowOutOfRange`], the errors of [`texts`](Self::texts), and [`Error::RowCount`] if a
    /// file changed in the meantime.
    pub fn texts_of_rows(&self, columns: &Columns, rows: &[u64]) -> Result<Vec<TextRow>> {
        let mut sorted = rows.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let chosen = self.select(&sorted)?;
        let texts = chosen.texts(columns)?.collect::<Result<Vec<_>>>()?;
        let changed = || Error::RowCount {
            name: chosen.name().to_owned(),
            expected: sorted.len() as u64,
            found: texts.len() as u64,
        };
        let text = |row| texts.get(sorted.binary_search(row).ok()?).cloned();
        rows.iter()
            .map(|row| text(row).ok_or_else(changed))
            .collect()
    }
}

/// Reads the lines of any input, such as standard input, as one text each; `name` is used in
/// errors. An empty line is an empty text, so that results line up with the input.
pub fn text_lines<R: BufRead>(
    input: R,
    name: &str,
) -> impl Iterator<Item = Result<TextRow>> + use<R> {
    let mut lines = Lines::new(input, Path::new(name));
    until_error(move || {
        let row = lines.number;
        if !lines.read()? {
            return Ok(None);
        }
        Ok(Some(TextRow {
            place: Place {
                file: lines.path().into(),
                row,
                line: Some(row + 1),
            },
            first: lines.text(row)?.to_owned(),
            second: None,
        }))
    })
}
