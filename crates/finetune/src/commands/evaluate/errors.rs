//! The rows that a model got most wrong, with their texts and where they stand.

use std::fmt::Display;

use finetune_data::Place;
use finetune_infer::Accumulator;
use finetune_metrics::{Predictions, Targets, sigmoid};
use serde_json::{Value, json};

use super::subject::Evaluated;
use crate::{
    error::Failure,
    view::terminal::{self, Texts, cut, fit, one_line, widest},
};

/// Columns of a text where there is no terminal, and the fewest on one.
const TEXT_WIDTH: usize = 100;
const LEAST_TEXT_WIDTH: usize = 24;

/// Errors, the worst first.
pub struct Errors {
    heads: [&'static str; 3],
    errors: Vec<Error>,
    /// Whether the rows are of several files, so that a row number alone says nothing.
    several_files: bool,
}

/// One error.
struct Error {
    /// Where the row stands in its file, whatever was selected of it.
    place: Place,
    text: Texts,
    label: String,
    prediction: String,
    /// Probability of the wrong prediction, or how far it is off.
    size: f64,
}

/// One error before its text is known.
struct Found {
    prediction_index: usize,
    label: String,
    prediction: String,
    size: f64,
}

impl Errors {
    /// The `count` worst errors: of classes those of the highest confidence, of labels the single
    /// labels that are wrong with the highest confidence, of numbers the largest.
    pub fn new(evaluated: &Evaluated, count: usize) -> Result<Self, Failure> {
        let mut heads = ["confidence", "label", "prediction"];
        let found = match &evaluated.all {
            Accumulator::Classification(all) => {
                let name = |class: usize| all.class_names()[class].clone();
                let errors = all.most_confident_errors(count).into_iter();
                let found = errors.map(|error| Found {
                    prediction_index: error.row,
                    label: name(error.target),
                    prediction: name(error.predicted),
                    size: error.confidence,
                });
                found.collect()
            }
            Accumulator::MultiLabel(all) => wrong_labels(
                &all.predictions(),
                all.class_names(),
                all.thresholds(),
                count,
            ),
            Accumulator::Regression(all) => {
                heads[0] = "error";
                largest_errors(&all.predictions(), count)
            }
        };
        let rows = found
            .iter()
            .map(|error| evaluated.row(error.prediction_index));
        let rows: Vec<_> = rows.collect();
        let texts = evaluated.data.texts(&rows)?;
        let errors = found.into_iter().zip(texts);
        let errors = errors.map(|(found, text)| Error {
            place: text.place,
            text: (text.first, text.second),
            label: found.label,
            prediction: found.prediction,
            size: found.size,
        });
        Ok(Self {
            heads,
            errors: errors.collect(),
            several_files: evaluated
                .data
                .files()
                .windows(2)
                .any(|two| two[0] != two[1]),
        })
    }

    /// A line per error; texts are cut where the terminal ends.
    pub fn table(&self) -> String {
        if self.errors.is_empty() {
            return "no errors\n".into();
        }
        let [size, label, prediction] = self.heads;
        let labels = widest(self.errors.iter().map(|error| &error.label), label.len());
        let predictions = self.errors.iter().map(|error| &error.prediction);
        let predictions = widest(predictions, prediction.len());
        let places: Vec<_> = self.errors.iter().map(|error| self.place(error)).collect();
        let place_width = widest(&places, "row".len());
        let taken = 10 + labels + predictions + place_width + 4 * 2;
        let width = terminal::columns().map_or(TEXT_WIDTH, |columns| {
            columns.saturating_sub(taken).max(LEAST_TEXT_WIDTH)
        });
        let (label, prediction) = (fit(label, labels), fit(prediction, predictions));
        let row = fit("row", place_width);
        let mut table = format!("{size:>10}  {label}  {prediction}  {row}  text\n");
        for (error, place) in self.errors.iter().zip(&places) {
            table += &format!(
                "{:>10.4}  {}  {}  {}  {}\n",
                error.size,
                fit(&error.label, labels),
                fit(&error.prediction, predictions),
                fit(place, place_width),
                cut(&one_line(&error.text), width)
            );
        }
        table
    }

    /// `57`, `57 (line 59)`, with the file's name before it where there are several.
    fn place(&self, error: &Error) -> String {
        let Place { file, row, line } = &error.place;
        let file = match self.several_files {
            true => format!("{}, row ", file.display()),
            false => String::new(),
        };
        match line {
            Some(line) => format!("{file}{row} (line {line})"),
            None => format!("{file}{row}"),
        }
    }

    /// A list of objects; `row` counts from 0 in `file`, `line`, where the format has lines, from 1.
    pub fn json(&self) -> Value {
        let errors = self.errors.iter().map(|error| {
            let Place { file, row, line } = &error.place;
            let mut object = json!({"file": file.display().to_string(), "row": row});
            if let Some(line) = line {
                object["line"] = json!(line);
            }
            object["text"] = json!(error.text.0);
            if let Some(second) = &error.text.1 {
                object["text_pair"] = json!(second);
            }
            object["label"] = json!(error.label);
            object["prediction"] = json!(error.prediction);
            object[self.heads[0]] = json!(error.size);
            object
        });
        errors.collect()
    }
}

/// Single labels that were said and are not there, or the reverse, by how sure the model was.
fn wrong_labels(
    predictions: &Predictions<'_>,
    names: &[String],
    thresholds: &[f64],
    count: usize,
) -> Vec<Found> {
    let Targets::MultiLabel(targets) = predictions.targets() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (index, row) in predictions.iter().enumerate() {
        for (class, (&logit, name)) in row.iter().zip(names).enumerate() {
            let probability = sigmoid(logit);
            let said = probability >= thresholds[class];
            let there = targets[index * names.len() + class];
            if said != there {
                let word = |yes: bool| match yes {
                    true => name.clone(),
                    false => format!("not {name}"),
                };
                found.push(Found {
                    prediction_index: index,
                    label: word(there),
                    prediction: word(said),
                    size: if said { probability } else { 1.0 - probability },
                });
            }
        }
    }
    worst(found, count)
}

/// The rows whose outputs are farthest from their targets, by root of the mean squared error.
fn largest_errors(predictions: &Predictions<'_>, count: usize) -> Vec<Found> {
    let Targets::Values(targets) = predictions.targets() else {
        return Vec::new();
    };
    let rows = predictions
        .iter()
        .zip(targets.chunks(predictions.outputs()));
    let found = rows.enumerate().map(|(index, (row, targets))| {
        let squares = row.iter().zip(targets).map(|(&value, &target)| {
            let error = f64::from(value) - target;
            error * error
        });
        Found {
            prediction_index: index,
            label: numbers(targets),
            prediction: numbers(row),
            size: (squares.sum::<f64>() / row.len() as f64).sqrt(),
        }
    });
    worst(found.collect(), count)
}

/// Numbers as a table shows them.
fn numbers<T: Display>(values: &[T]) -> String {
    let numbers: Vec<_> = values.iter().map(|value| format!("{value:.4}")).collect();
    numbers.join(", ")
}

/// The sort is stable, so equal errors stay in order.
fn worst(mut found: Vec<Found>, count: usize) -> Vec<Found> {
    found.sort_by(|a, b| b.size.total_cmp(&a.size));
    found.truncate(count);
    found
}
