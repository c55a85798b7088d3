//! Lists the rows that a model got most wrong, with their texts and places.

use finetune_data::Place;
use serde_json::{Value, json};

use super::subject::Evaluated;
use crate::{
    error::Failure,
    view::terminal::{self, Texts, fit, one_line, truncate, widest},
};

/// Width of a text without a terminal.
const TEXT_WIDTH: usize = 100;
/// Minimum width of a text on a terminal.
const LEAST_TEXT_WIDTH: usize = 24;

/// The errors of a model, worst first.
pub struct Errors {
    /// The name of the measure in [`Error::size`].
    measure: &'static str,
    errors: Vec<Error>,
    /// Whether the rows come from several files, so that a row number alone is ambiguous.
    several_files: bool,
}

/// One error.
struct Error {
    /// The row's place in its file, independent of the selection.
    place: Place,
    text: Texts,
    label: String,
    prediction: String,
    /// Probability of the wrong prediction, or the size of its error.
    size: f64,
}

impl Errors {
    /// Finds the `count` worst errors.
    ///
    /// # Errors
    /// Fails if the rows cannot be read.
    pub fn new(evaluated: &Evaluated, count: usize) -> Result<Self, Failure> {
        let found = evaluated.all.worst_rows(count);
        let rows = found.rows.iter().map(|error| evaluated.row(error.row));
        let rows: Vec<_> = rows.collect();
        let texts = evaluated.data.texts(&rows)?;
        let errors = found.rows.into_iter().zip(texts);
        let errors = errors.map(|(found, text)| Error {
            place: text.place,
            text: (text.first, text.second),
            label: found.label,
            prediction: found.prediction,
            size: found.size,
        });
        Ok(Self {
            measure: found.measure,
            errors: errors.collect(),
            several_files: evaluated
                .data
                .files()
                .windows(2)
                .any(|two| two[0] != two[1]),
        })
    }

    /// Formats one line per error, with texts truncated to fit the terminal.
    pub fn table(&self) -> String {
        if self.errors.is_empty() {
            return "no errors\n".into();
        }
        let [size, label, prediction] = [self.measure, "label", "prediction"];
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
                truncate(&one_line(&error.text), width)
            );
        }
        table
    }

    /// Formats a place as `57` or `57 (line 59)`, after the file's name if there are several.
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

    /// Returns a list of objects: `row` counts from 0 in `file`, and `line` from 1 if the format has lines.
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
            object[self.measure] = json!(error.size);
            object
        });
        errors.collect()
    }
}
