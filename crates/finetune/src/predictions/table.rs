//! Predictions as aligned columns.

use console::measure_text_width;
use finetune_models::Outputs;
use finetune_train::Prediction;

use crate::terminal::{self, Texts, fit, one_line, widest};

/// Most and fewest columns of the terminal that a text takes.
const TEXT_WIDTH: std::ops::RangeInclusive<usize> = 24..=60;
/// More outputs than these have no column each.
const MAX_COLUMNS: usize = 8;

/// The form of a table.
pub struct Table {
    outputs: Outputs,
    text_width: usize,
}

impl Table {
    /// For standard output: texts are cut where the terminal ends.
    pub fn new(outputs: &Outputs) -> Self {
        let mut table = Self {
            outputs: outputs.clone(),
            text_width: *TEXT_WIDTH.end(),
        };
        if let Some(columns) = terminal::columns() {
            let others = measure_text_width(&table.header()) - table.text_width;
            let left = columns.saturating_sub(others);
            table.text_width = left.clamp(*TEXT_WIDTH.start(), *TEXT_WIDTH.end());
        }
        table
    }

    /// The line of names, without its end.
    pub fn header(&self) -> String {
        let mut header = fit("text", self.text_width);
        match &self.outputs {
            Outputs::Classes(names) => {
                header += &format!("  {}  confidence", fit("label", label_width(names)));
                self.each_column(|name, width| header += &format!("  {name:>width$}"));
            }
            Outputs::MultiLabel(_) => {
                self.each_column(|name, width| header += &format!("  {name:>width$}"));
                header += "  labels";
            }
            Outputs::Regression(names) if names.len() == 1 => header += "  prediction",
            Outputs::Regression(names) => {
                for name in names {
                    let width = column_width(name);
                    header += &format!("  {name:>width$}");
                }
            }
        }
        header
    }

    /// A text with its prediction, without the line's end.
    pub fn row(&self, text: &Texts, prediction: &Prediction) -> String {
        let mut row = fit(&one_line(text), self.text_width);
        let probabilities = |row: &mut String| {
            let mut values = prediction.probabilities.iter();
            self.each_column(|_, width| {
                if let Some(value) = values.next() {
                    *row += &format!("  {value:>width$.4}");
                }
            });
        };
        match &self.outputs {
            Outputs::Classes(names) => {
                let label = fit(&prediction.label, label_width(names));
                row += &format!("  {label}  {:>10.4}", prediction.confidence);
                probabilities(&mut row);
            }
            Outputs::MultiLabel(_) => {
                probabilities(&mut row);
                let labels = prediction.labels.as_deref().unwrap_or_default();
                row += "  ";
                row += &match labels.is_empty() {
                    true => "-".into(),
                    false => labels.join(", "),
                };
            }
            Outputs::Regression(names) if names.len() == 1 => {
                row += &format!("  {:>10.4}", prediction.logits[0]);
            }
            Outputs::Regression(names) => {
                for (name, value) in names.iter().zip(&prediction.logits) {
                    let width = column_width(name);
                    row += &format!("  {value:>width$.4}");
                }
            }
        }
        row
    }

    /// Calls `each` with name and width of each class's column, if there are few enough.
    fn each_column(&self, mut each: impl FnMut(&str, usize)) {
        let names = self.outputs.names();
        if names.len() <= MAX_COLUMNS {
            for name in names {
                each(name, column_width(name));
            }
        }
    }
}

fn label_width(names: &[String]) -> usize {
    widest(names, "label".len())
}

fn column_width(name: &str) -> usize {
    measure_text_width(name).max(7)
}
