//! Writes predictions as they come: a table, JSON lines or Parquet.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use console::{measure_text_width, truncate_str};
use finetune_data::{
    ParquetSink,
    arrow::{
        array::{ArrayRef, Float32Array, StringArray},
        datatypes::{DataType, Field, Schema},
        record_batch::RecordBatch,
    },
};
use finetune_models::Outputs;
use finetune_train::Prediction;
use serde_json::{Map, json};

use crate::{
    args::Format,
    error::Failure,
    output::{cannot_write, print},
};

/// Width of the text column of a table.
const TEXT_WIDTH: usize = 60;

type Texts = (String, Option<String>);

/// Where predictions go. A file appears when it is complete.
pub struct Sink {
    writer: Writer,
    names: Vec<String>,
    regression: bool,
}

enum Writer {
    Table {
        out: Out,
        header: bool,
    },
    JsonLines(Out),
    Parquet {
        sink: Box<ParquetSink>,
        schema: Schema,
        pairs: bool,
    },
}

/// Standard output, or a file written beside its place.
enum Out {
    Standard,
    File {
        file: BufWriter<File>,
        partial: PathBuf,
        path: PathBuf,
    },
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
        let (names, regression) = match outputs {
            Outputs::Classes(names) | Outputs::MultiLabel(names) => (names.clone(), false),
            Outputs::Regression(_) => (Vec::new(), true),
        };
        let writer = match (format, path) {
            (Format::Parquet, Some(path)) => {
                let schema = schema(&names, regression, pairs);
                Writer::Parquet {
                    sink: Box::new(ParquetSink::create(path, &schema, &[])?),
                    schema,
                    pairs,
                }
            }
            (Format::Parquet, None) => {
                return Err(Failure::User("--format parquet needs --output FILE".into()));
            }
            (Format::Table, path) => Writer::Table {
                out: Out::open(path)?,
                header: true,
            },
            (Format::JsonLines, path) => Writer::JsonLines(Out::open(path)?),
        };
        Ok(Self {
            writer,
            names,
            regression,
        })
    }

    /// Writes one batch.
    pub fn write(&mut self, texts: &[Texts], predictions: &[Prediction]) -> Result<(), Failure> {
        let rows = texts.iter().zip(predictions);
        match &mut self.writer {
            Writer::Table { out, header } => {
                let mut lines = String::new();
                if std::mem::take(header) {
                    lines += &table_header(&self.names, self.regression);
                }
                for (text, prediction) in rows {
                    lines += &table_row(text, prediction, &self.names, self.regression);
                }
                out.write(&lines)
            }
            Writer::JsonLines(out) => {
                let mut lines = String::new();
                for (text, prediction) in rows {
                    lines += &json_line(text, prediction, &self.names, self.regression);
                    lines.push('\n');
                }
                out.write(&lines)
            }
            Writer::Parquet {
                sink,
                schema,
                pairs,
            } => {
                let columns = columns(
                    texts,
                    predictions,
                    self.names.len(),
                    self.regression,
                    *pairs,
                );
                let batch = RecordBatch::try_new(Arc::new(schema.clone()), columns)
                    .map_err(|error| Failure::Internal(error.to_string()))?;
                Ok(sink.write(&batch)?)
            }
        }
    }

    /// Completes the output.
    pub fn finish(self) -> Result<(), Failure> {
        match self.writer {
            Writer::Table { out, .. } | Writer::JsonLines(out) => out.finish(),
            Writer::Parquet { sink, .. } => Ok(sink.finish()?),
        }
    }
}

impl Out {
    fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else {
            return Ok(Self::Standard);
        };
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(".partial");
        let partial = path.with_file_name(name);
        let file = File::create(&partial).map_err(|error| cannot_write(path, &error))?;
        Ok(Self::File {
            file: BufWriter::new(file),
            partial,
            path: path.into(),
        })
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        match self {
            // Each batch is shown when it is done.
            Self::Standard => print(text),
            Self::File { file, path, .. } => file
                .write_all(text.as_bytes())
                .map_err(|error| cannot_write(path, &error)),
        }
    }

    fn finish(mut self) -> Result<(), Failure> {
        let Self::File {
            file,
            partial,
            path,
        } = &mut self
        else {
            return Ok(());
        };
        file.flush()
            .and_then(|()| file.get_ref().sync_all())
            .and_then(|()| std::fs::rename(&partial, &path))
            .map_err(|error| cannot_write(path, &error))
    }
}

impl Drop for Out {
    /// What was not finished leaves nothing.
    fn drop(&mut self) {
        if let Self::File { partial, .. } = self {
            let _ = std::fs::remove_file(partial);
        }
    }
}

/// Both texts of a pair on one line.
fn one_line(text: &Texts) -> String {
    let joined = match text {
        (first, None) => first.clone(),
        (first, Some(second)) => format!("{first} | {second}"),
    };
    joined.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `text`, cut and filled up to `width` columns of the terminal.
fn fit(text: &str, width: usize) -> String {
    let cut = truncate_str(text, width, "…");
    let missing = width.saturating_sub(measure_text_width(&cut));
    format!("{cut}{}", " ".repeat(missing))
}

fn label_width(names: &[String]) -> usize {
    let widths = names.iter().map(|name| measure_text_width(name));
    widths.max().unwrap_or(0).max("label".len())
}

fn column_width(name: &str) -> usize {
    measure_text_width(name).max(6)
}

fn table_header(names: &[String], regression: bool) -> String {
    let text = fit("text", TEXT_WIDTH);
    if regression {
        return format!("{text}  {:>10}\n", "prediction");
    }
    let label = fit("label", label_width(names));
    let mut header = format!("{text}  {label}  confidence");
    for name in names {
        header += &format!("  {:>1$}", name, column_width(name));
    }
    header + "\n"
}

fn table_row(text: &Texts, prediction: &Prediction, names: &[String], regression: bool) -> String {
    let text = fit(&one_line(text), TEXT_WIDTH);
    if regression {
        return format!("{text}  {:>10.4}\n", prediction.confidence);
    }
    let label = fit(&prediction.label, label_width(names));
    let mut row = format!("{text}  {label}  {:>10.4}", prediction.confidence);
    for (name, probability) in names.iter().zip(&prediction.probabilities) {
        row += &format!("  {:>1$.4}", probability, column_width(name));
    }
    row + "\n"
}

fn json_line(text: &Texts, prediction: &Prediction, names: &[String], regression: bool) -> String {
    let mut line = Map::new();
    line.insert("text".into(), json!(text.0));
    if let Some(second) = &text.1 {
        line.insert("text_pair".into(), json!(second));
    }
    if regression {
        line.insert("prediction".into(), json!(prediction.confidence));
    } else {
        line.insert("label".into(), json!(prediction.label));
        line.insert("confidence".into(), json!(prediction.confidence));
        let probabilities = names.iter().cloned().zip(&prediction.probabilities);
        let probabilities: Map<_, _> = probabilities.map(|(name, p)| (name, json!(p))).collect();
        line.insert("probabilities".into(), probabilities.into());
    }
    line.insert("logits".into(), json!(prediction.logits));
    serde_json::Value::Object(line).to_string()
}

/// Columns `text` (and `text_pair`), then `label`, `confidence` and one `probability_CLASS` per
/// class, or `prediction`.
fn schema(names: &[String], regression: bool, pairs: bool) -> Schema {
    let mut fields = vec![Field::new("text", DataType::Utf8, false)];
    if pairs {
        fields.push(Field::new("text_pair", DataType::Utf8, false));
    }
    let number = |name: &str| Field::new(name, DataType::Float32, false);
    if regression {
        fields.push(number("prediction"));
    } else {
        fields.push(Field::new("label", DataType::Utf8, false));
        fields.push(number("confidence"));
        fields.extend(
            names
                .iter()
                .map(|name| number(&format!("probability_{name}"))),
        );
    }
    Schema::new(fields)
}

fn columns(
    texts: &[Texts],
    predictions: &[Prediction],
    classes: usize,
    regression: bool,
    pairs: bool,
) -> Vec<ArrayRef> {
    let strings = |values: Vec<&str>| Arc::new(StringArray::from(values)) as ArrayRef;
    let numbers = |values: Vec<f32>| Arc::new(Float32Array::from(values)) as ArrayRef;
    let mut columns = vec![strings(
        texts.iter().map(|(first, _)| first.as_str()).collect(),
    )];
    if pairs {
        let second = texts
            .iter()
            .map(|(_, second)| second.as_deref().unwrap_or_default());
        columns.push(strings(second.collect()));
    }
    if !regression {
        columns.push(strings(
            predictions.iter().map(|p| p.label.as_str()).collect(),
        ));
    }
    columns.push(numbers(predictions.iter().map(|p| p.confidence).collect()));
    for class in 0..classes {
        columns.push(numbers(
            predictions.iter().map(|p| p.probabilities[class]).collect(),
        ));
    }
    columns
}
