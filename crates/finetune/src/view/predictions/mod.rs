//! Writes predictions as they arrive: as a table for people, as JSON lines, or with whole input rows.

mod cell;
mod columns;
mod out;
pub(crate) mod row;
mod rows;
mod table;

use std::path::Path;

use finetune_data::arrow::datatypes::SchemaRef;
use finetune_infer::{Prediction, json_line};
use finetune_models::Task;

use self::{out::Out, row::Row, rows::RowSink, table::Table};
use crate::{
    cli::args::Format,
    error::Failure,
    view::{
        output::{printable, terminal_json},
        terminal::Texts,
    },
};

/// The destination and format of predictions. A file appears when it is complete.
pub enum Sink {
    Table { out: Out, table: Table, begun: bool },
    JsonLines { out: Out, outputs: Task },
    Rows(RowSink),
}

impl Sink {
    /// Opens the output. With `whole_rows`, it contains the input's columns, which `schema` lists if the
    /// input has any, followed by the predictions.
    ///
    /// # Errors
    /// Fails if the output cannot be opened.
    pub fn open(
        format: Format,
        whole_rows: bool,
        path: Option<&Path>,
        outputs: &Task,
        schema: Option<SchemaRef>,
        pairs: bool,
    ) -> Result<Self, Failure> {
        Ok(match format {
            _ if whole_rows => Self::Rows(RowSink::open(format, path, outputs, schema, pairs)?),
            Format::JsonLines => Self::JsonLines {
                out: Out::open(path)?,
                outputs: outputs.clone(),
            },
            _ => Self::Table {
                out: Out::open(path)?,
                table: Table::new(outputs),
                begun: false,
            },
        })
    }

    /// Writes one batch, in which a row without a text has no prediction.
    ///
    /// # Errors
    /// Fails if the output cannot be written to.
    pub fn write(
        &mut self,
        rows: &[Row],
        predictions: &[Option<Prediction>],
    ) -> Result<(), Failure> {
        let pairs = rows.iter().map(|row| row.texts.as_ref()).zip(predictions);
        let mut lines = String::new();
        match self {
            Self::Table { out, table, begun } => {
                if !std::mem::replace(begun, true) {
                    lines += &(table.header() + "\n");
                }
                for (texts, prediction) in pairs {
                    lines += &(table.row(texts, prediction.as_ref()) + "\n");
                }
                out.text(&printable(&lines))
            }
            Self::JsonLines { out, outputs } => {
                for (texts, prediction) in pairs {
                    let texts = texts.map(|(first, second)| (first.as_str(), second.as_deref()));
                    lines += &(json_line(texts, prediction.as_ref(), outputs) + "\n");
                }
                out.text(&terminal_json(&lines))
            }
            Self::Rows(sink) => sink.write(rows, predictions),
        }
    }

    /// Completes the output.
    ///
    /// # Errors
    /// Fails if the output cannot be written to.
    pub fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Table { out, .. } | Self::JsonLines { out, .. } => out.finish(),
            Self::Rows(sink) => sink.finish(),
        }
    }
}

/// Formats a table of a few predictions.
pub fn table(texts: &[Texts], predictions: &[Prediction], outputs: &Task) -> String {
    let table = Table::new(outputs);
    let rows = texts.iter().zip(predictions);
    let rows = rows.map(|(texts, prediction)| table.row(Some(texts), Some(prediction)));
    let lines = std::iter::once(table.header()).chain(rows);
    lines.fold(String::new(), |all, line| all + &line + "\n")
}
