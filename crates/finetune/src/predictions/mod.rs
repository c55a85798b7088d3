//! Writes predictions as they come: a table, JSON lines or Parquet.

mod json_lines;
mod out;
mod parquet;
mod table;

use std::path::Path;

use finetune_models::Outputs;
use finetune_train::Prediction;

use self::{out::Out, table::Table};
use crate::{args::Format, error::Failure, terminal::Texts};

/// Where predictions go. A file appears when it is complete.
pub enum Sink {
    Table { out: Out, table: Table, begun: bool },
    JsonLines { out: Out, outputs: Outputs },
    Parquet(parquet::Table),
}

impl Sink {
    /// Opens the output.
    pub fn open(
        format: Format,
        path: Option<&Path>,
        outputs: &Outputs,
        pairs: bool,
    ) -> Result<Self, Failure> {
        if let Some(path) = path
            && path.exists()
        {
            return Err(Failure::User(format!(
                "{} exists already, and nothing is overwritten; choose another --output",
                path.display()
            )));
        }
        Ok(match (format, path) {
            (Format::Parquet, Some(path)) => {
                Self::Parquet(parquet::Table::create(path, outputs, pairs)?)
            }
            (Format::Parquet, None) => {
                return Err(Failure::User("--format parquet needs --output FILE".into()));
            }
            (Format::Table, path) => Self::Table {
                out: Out::open(path)?,
                table: Table::new(outputs),
                begun: false,
            },
            (Format::JsonLines, path) => Self::JsonLines {
                out: Out::open(path)?,
                outputs: outputs.clone(),
            },
        })
    }

    /// Writes one batch.
    pub fn write(&mut self, texts: &[Texts], predictions: &[Prediction]) -> Result<(), Failure> {
        let rows = texts.iter().zip(predictions);
        let mut lines = String::new();
        match self {
            Self::Table { out, table, begun } => {
                if !std::mem::replace(begun, true) {
                    lines += &(table.header() + "\n");
                }
                for (text, prediction) in rows {
                    lines += &(table.row(text, prediction) + "\n");
                }
                out.write(&lines)
            }
            Self::JsonLines { out, outputs } => {
                for (text, prediction) in rows {
                    lines += &(json_lines::line(text, prediction, outputs) + "\n");
                }
                out.write(&lines)
            }
            Self::Parquet(table) => table.write(texts, predictions),
        }
    }

    /// Completes the output.
    pub fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Table { out, .. } | Self::JsonLines { out, .. } => out.finish(),
            Self::Parquet(table) => table.finish(),
        }
    }
}

/// The table of a few predictions.
pub fn table(texts: &[Texts], predictions: &[Prediction], outputs: &Outputs) -> String {
    let table = Table::new(outputs);
    let rows = texts.iter().zip(predictions);
    let rows = rows.map(|(text, prediction)| table.row(text, prediction));
    let lines = std::iter::once(table.header()).chain(rows);
    lines.fold(String::new(), |all, line| all + &line + "\n")
}
