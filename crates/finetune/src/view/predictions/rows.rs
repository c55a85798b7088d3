//! Writes whole rows with their predictions: CSV, TSV, JSON lines, Parquet, Arrow.

use std::{
    io::{IsTerminal, stdout},
    path::{Path, PathBuf},
    sync::Arc,
};

use finetune_data::{
    JSON_TEXT, ParquetStream,
    arrow::{
        array::{ArrayRef, RecordBatch, StringArray, UInt64Array},
        compute::take_record_batch,
        datatypes::{DataType, Field, Schema, SchemaRef},
        error::ArrowError,
        ipc::writer::StreamWriter,
    },
};
use finetune_infer::Prediction;
use finetune_models::Task;
use serde_json::{Map, Value};

use super::{cell::Cells, columns::Columns, out::Out, row::Row};
use crate::{
    cli::args::Format,
    error::Failure,
    view::output::{cannot_write, printable, say, terminal_json},
};

/// Writes the rows of the input in order, with all their columns and the predictions. Rows without columns
/// get a column `text` and, for pairs, `text_pair`.
pub struct RowSink {
    columns: Columns,
    /// The schema of all columns.
    schema: SchemaRef,
    pairs: bool,
    writer: Writer,
    path: PathBuf,
}

enum Writer {
    /// Fields separated by a delimiter.
    Fields(Out, char),
    JsonLines(Out),
    Parquet(Box<ParquetStream<Out>>),
    Arrow(Box<StreamWriter<Out>>),
}

impl RowSink {
    /// Opens the output for rows of this schema, and prints a note if names of prediction columns are taken.
    ///
    /// # Errors
    /// Fails if the output cannot be opened or written to.
    pub fn open(
        format: Format,
        path: Option<&Path>,
        outputs: &Task,
        input: Option<SchemaRef>,
        pairs: bool,
    ) -> Result<Self, Failure> {
        let input = input.unwrap_or_else(|| texts_schema(pairs));
        let (columns, renamed) = Columns::new(outputs, &input);
        if !renamed.is_empty() {
            let (taken, names): (Vec<_>, Vec<_>) = renamed.into_iter().unzip();
            say!(
                "note: the input already has {}; the predictions are in {}",
                taken.join(", "),
                names.join(", ")
            );
        }
        let added = columns.fields().iter().cloned().map(Arc::new);
        let fields: Vec<_> = input.fields().iter().cloned().chain(added).collect();
        let schema = Arc::new(Schema::new_with_metadata(fields, input.metadata().clone()));
        let mut out = Out::open(path)?;
        let shown = path.unwrap_or(Path::new("standard output")).to_path_buf();
        let writer = match format {
            Format::Csv | Format::Tsv => {
                let delimiter = if format == Format::Csv { ',' } else { '\t' };
                let names = schema
                    .fields()
                    .iter()
                    .map(|field| Some(field.name().clone()));
                out.text(&terminal(&out, delimited(names, delimiter)))?;
                Writer::Fields(out, delimiter)
            }
            Format::Parquet => {
                let stream = ParquetStream::new(out, &shown, &unmarked(&schema), &[])?;
                Writer::Parquet(Box::new(stream))
            }
            Format::Arrow => {
                let stream = StreamWriter::try_new(out, &unmarked(&schema));
                let stream = stream.map_err(|error| failed(&shown, &error))?;
                Writer::Arrow(Box::new(stream))
            }
            Format::JsonLines | Format::Table => Writer::JsonLines(out),
        };
        Ok(Self {
            columns,
            schema,
            pairs,
            writer,
            path: shown,
        })
    }

    /// Writes rows with their predictions.
    ///
    /// # Errors
    /// Fails if the rows cannot be converted or written.
    pub fn write(
        &mut self,
        rows: &[Row],
        predictions: &[Option<Prediction>],
    ) -> Result<(), Failure> {
        let mut begin = 0;
        // Rows of one batch of the file are written together.
        let batch = |row: &Row| row.origin.as_ref().map(|(batch, _)| Arc::as_ptr(batch));
        for group in rows.chunk_by(|a, b| batch(a) == batch(b)) {
            let end = begin + group.len();
            let table = self.table(group, &predictions[begin..end]);
            let table = table.map_err(|error| failed(&self.path, &error))?;
            self.write_table(&table)?;
            begin = end;
        }
        Ok(())
    }

    fn table(
        &self,
        rows: &[Row],
        predictions: &[Option<Prediction>],
    ) -> Result<RecordBatch, ArrowError> {
        let mut arrays = match &rows[0].origin {
            None => text_arrays(rows, self.pairs),
            Some((batch, first)) => {
                let numbers = rows.iter().filter_map(|row| row.origin.as_ref());
                let numbers: Vec<_> = numbers.map(|(_, number)| *number as u64).collect();
                let gapless = numbers.iter().zip(*first as u64..).all(|(a, b)| *a == b);
                match gapless {
                    true => batch.slice(*first, rows.len()).columns().to_vec(),
                    false => take_record_batch(batch, &UInt64Array::from(numbers))?
                        .columns()
                        .to_vec(),
                }
            }
        };
        arrays.extend(self.columns.arrays(predictions));
        RecordBatch::try_new(self.schema.clone(), arrays)
    }

    fn write_table(&mut self, table: &RecordBatch) -> Result<(), Failure> {
        let failed = |error: ArrowError| failed(&self.path, &error);
        match &mut self.writer {
            Writer::Parquet(stream) => Ok(stream.write(table)?),
            Writer::Arrow(stream) => stream.write(table).map_err(failed),
            Writer::Fields(out, delimiter) => {
                let delimiter = *delimiter;
                let lines = lines(table, |cells, row, _| {
                    let values = cells.iter().map(|cells| cells.text(row));
                    let values = values.collect::<Result<Vec<_>, _>>()?;
                    Ok(delimited(values.into_iter(), delimiter))
                });
                let text = terminal(out, lines.map_err(failed)?);
                out.text(&text)
            }
            Writer::JsonLines(out) => {
                let lines = lines(table, |cells, row, names| {
                    let values = cells.iter().zip(names).map(|(cells, name)| {
                        let value = cells.json(row)?;
                        Ok((name.clone(), value))
                    });
                    let object = values.collect::<Result<Map<_, _>, ArrowError>>()?;
                    Ok(format!("{}\n", Value::Object(object)))
                });
                let lines = lines.map_err(failed)?;
                match out {
                    Out::Standard => out.text(&terminal_json(&lines)),
                    _ => out.text(&lines),
                }
            }
        }
    }

    /// Completes the output.
    ///
    /// # Errors
    /// Fails if the output cannot be written to.
    pub fn finish(self) -> Result<(), Failure> {
        let out = match self.writer {
            Writer::Fields(out, _) | Writer::JsonLines(out) => out,
            Writer::Parquet(stream) => stream.finish()?,
            Writer::Arrow(stream) => {
                let out = stream.into_inner();
                out.map_err(|error| failed(&self.path, &error))?
            }
        };
        out.finish()
    }
}

fn failed(path: &Path, error: &ArrowError) -> Failure {
    match error {
        ArrowError::IoError(_, error) => cannot_write(path, error),
        // Rows that the format cannot represent.
        error => Failure::User(format!("cannot write {}: {error}", path.display())),
    }
}

/// Returns one line per row of the table, made from its cells.
fn lines(
    table: &RecordBatch,
    line: impl Fn(&[Cells<'_>], usize, &[String]) -> Result<String, ArrowError>,
) -> Result<String, ArrowError> {
    let schema = table.schema();
    let names: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let columns = schema.fields().iter().zip(table.columns());
    let cells = columns.map(|(field, array)| Cells::new(field, array));
    let cells = cells.collect::<Result<Vec<_>, _>>()?;
    (0..table.num_rows())
        .map(|row| line(&cells, row, &names))
        .collect()
}

/// Formats a line of a CSV or TSV file, in which an unquoted empty field is null.
fn delimited(values: impl Iterator<Item = Option<String>>, delimiter: char) -> String {
    let special = |c: char| c == delimiter || c == '"' || c == '\n' || c == '\r';
    let fields = values.map(|value| match value {
        None => String::new(),
        Some(text) if text.is_empty() || text.contains(special) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Some(text) => text,
    });
    let fields: Vec<_> = fields.collect();
    fields.join(&delimiter.to_string()) + "\n"
}

/// Escapes text on a terminal; elsewhere the data is exact.
fn terminal(out: &Out, text: String) -> String {
    match matches!(out, Out::Standard) && stdout().is_terminal() {
        true => printable(&text).into_owned(),
        false => text,
    }
}

/// Returns the schema without the internal mark of JSON columns.
fn unmarked(schema: &Schema) -> Schema {
    let field = |field: &Arc<Field>| {
        let mut metadata = field.metadata().clone();
        metadata.remove(JSON_TEXT);
        field.as_ref().clone().with_metadata(metadata)
    };
    let fields: Vec<_> = schema.fields().iter().map(field).collect();
    Schema::new_with_metadata(fields, schema.metadata().clone())
}

fn texts_schema(pairs: bool) -> SchemaRef {
    let names = ["text", "text_pair"]
        .into_iter()
        .take(1 + usize::from(pairs));
    let fields = names.map(|name| Field::new(name, DataType::Utf8, true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn text_arrays(rows: &[Row], pairs: bool) -> Vec<ArrayRef> {
    let texts = || rows.iter().map(|row| row.texts.as_ref());
    let first = texts().map(|texts| texts.map(|(first, _)| first.as_str()));
    let mut arrays: Vec<ArrayRef> = vec![Arc::new(first.collect::<StringArray>())];
    if pairs {
        let second = texts().map(|texts| texts.and_then(|(_, second)| second.as_deref()));
        arrays.push(Arc::new(second.collect::<StringArray>()));
    }
    arrays
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_only_if_necessary() {
        let fields = [
            "plain",
            "",
            "a,b",
            "a\tb",
            "say \"x\"",
            "two\nlines",
            " blank ",
        ];
        let line = |delimiter| {
            let fields = fields.iter().map(|field| Some(field.to_string()));
            delimited(fields.chain([None]), delimiter)
        };
        assert_eq!(
            line(','),
            "plain,\"\",\"a,b\",a\tb,\"say \"\"x\"\"\",\"two\nlines\", blank ,\n"
        );
        assert_eq!(
            line('\t'),
            "plain\t\"\"\ta,b\t\"a\tb\"\t\"say \"\"x\"\"\"\t\"two\nlines\"\t blank \t\n"
        );
    }
}
