//! Whole rows with their predictions beside them: CSV, TSV, JSON lines, Parquet, Arrow.

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

/// The rows of the input, all their columns and the predictions, in their order. Rows that are only
/// texts have the columns `text` and, of pairs, `text_pair`.
pub struct RowSink {
    columns: Columns,
    /// Of all columns, for the writer.
    schema: SchemaRef,
    pairs: bool,
    writer: Writer,
    path: PathBuf,
}

enum Writer {
    /// Fields with this between them.
    Fields(Out, char),
    JsonLines(Out),
    Parquet(Box<ParquetStream<Out>>),
    Arrow(Box<StreamWriter<Out>>),
}

impl RowSink {
    /// Begins a table of rows of this schema. A column's name that is taken is said.
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
                "note: the input has {} already; the predictions stand in {}",
                taken.join(", "),
                names.join(", ")
            );
        }
        let own = columns.fields().iter().cloned().map(Arc::new);
        let fields: Vec<_> = input.fields().iter().cloned().chain(own).collect();
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
    pub fn write(
        &mut self,
        rows: &[Row],
        predictions: &[Option<Prediction>],
    ) -> Result<(), Failure> {
        let mut begin = 0;
        // Those of one batch of the file go together.
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
        // Rows that a format cannot hold.
        error => Failure::User(format!("cannot write {}: {error}", path.display())),
    }
}

/// A line per row of the table, each of its cells.
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

/// A line of a CSV or TSV file; nothing at all between delimiters is null.
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

/// Data are exact, except where somebody looks at them.
fn terminal(out: &Out, text: String) -> String {
    match matches!(out, Out::Standard) && stdout().is_terminal() {
        true => printable(&text).into_owned(),
        false => text,
    }
}

/// The schema without what marks columns of JSON text here.
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
    fn fields_are_quoted_where_they_must_be() {
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
