//! The rows that a model got most wrong, with their texts and where they stand.

use finetune_data::Place;
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
    /// What the sizes are, in a word.
    measure: &'static str,
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

impl Errors {
    /// The `count` worst errors.
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

    /// A line per error; texts are cut where the terminal ends.
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
            object[self.measure] = json!(error.size);
            object
        });
        errors.collect()
    }
}
