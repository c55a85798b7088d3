//! Predictions as aligned columns.

use finetune_infer::Prediction;
use finetune_models::Task;

use crate::view::terminal::{self, Texts, fit, fit_right, one_line, widest, width};

/// Most and fewest columns of the terminal that a text takes.
const TEXT_WIDTH: std::ops::RangeInclusive<usize> = 24..=60;
/// More outputs than these have no column each.
const MAX_COLUMNS: usize = 8;

/// The form of a table.
pub struct Table {
    outputs: Task,
    text_width: usize,
}

impl Table {
    /// For standard output: texts are cut where the terminal ends.
    pub fn new(outputs: &Task) -> Self {
        let mut table = Self {
            outputs: outputs.clone(),
            text_width: *TEXT_WIDTH.end(),
        };
        if let Some(columns) = terminal::columns() {
            let others = width(&table.header()) - table.text_width;
            let left = columns.saturating_sub(others);
            table.text_width = left.clamp(*TEXT_WIDTH.start(), *TEXT_WIDTH.end());
        }
        table
    }

    /// The line of names, without its end.
    pub fn header(&self) -> String {
        let mut header = fit("text", self.text_width);
        match &self.outputs {
            Task::Classes(names) => {
                header += &format!("  {}  confidence", fit("label", label_width(names)));
                self.each_column(|name, width| header += &format!("  {}", fit_right(name, width)));
            }
            Task::MultiLabel(_) => {
                self.each_column(|name, width| header += &format!("  {}", fit_right(name, width)));
                header += "  labels";
            }
            Task::Regression(names) if names.len() == 1 => header += "  prediction",
            Task::Regression(names) => {
                for name in names {
                    header += &format!("  {}", fit_right(name, column_width(name)));
                }
            }
        }
        header
    }

    /// A text with its prediction, without the line's end; `-` for what there is not.
    pub fn row(&self, texts: Option<&Texts>, prediction: Option<&Prediction>) -> String {
        let text = texts.map_or_else(|| "-".into(), one_line);
        let mut row = fit(&text, self.text_width);
        let number = |value: Option<f32>, width: usize| match value {
            Some(value) => format!("  {value:>width$.4}"),
            None => format!("  {:>width$}", "-"),
        };
        let probabilities = |row: &mut String| {
            let mut index = 0..;
            self.each_column(|_, width| {
                let index = index.next().unwrap_or_default();
                let value = prediction.and_then(|found| found.probabilities.get(index));
                *row += &number(value.copied(), width);
            });
        };
        match &self.outputs {
            Task::Classes(names) => {
                let label = prediction.map_or("-", |found| &found.label);
                row += &format!("  {}", fit(label, label_width(names)));
                row += &number(prediction.map(|found| found.confidence), 10);
                probabilities(&mut row);
            }
            Task::MultiLabel(_) => {
                probabilities(&mut row);
                let labels = prediction.and_then(|found| found.labels.as_ref());
                let labels = labels.filter(|labels| !labels.is_empty());
                row += "  ";
                row += &labels.map_or_else(|| "-".into(), |labels| labels.join(", "));
            }
            Task::Regression(names) => {
                for (index, name) in names.iter().enumerate() {
                    let width = match names.len() {
                        1 => 10,
                        _ => column_width(name),
                    };
                    let value = prediction.and_then(|found| found.logits.get(index));
                    row += &number(value.copied(), width);
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
    width(name).max(7)
}
