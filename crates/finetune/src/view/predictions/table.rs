//! Formats predictions as aligned columns.

use finetune_infer::{Column, Field, Prediction, objective};
use finetune_models::Task;

use crate::view::terminal::{self, Texts, fit, fit_right, one_line, widest, width};

/// Range of the width of a text in columns of the terminal.
const TEXT_WIDTH: std::ops::RangeInclusive<usize> = 24..=60;
/// Probabilities are not shown for more outputs than this.
const MAX_COLUMNS: usize = 8;

/// The layout of a table: a text, then the objective's
/// [columns](objective::Objective::shown_columns).
pub struct Table {
    outputs: Task,
    columns: Vec<Column>,
    text_width: usize,
}

impl Table {
    /// Creates a table for standard output, in which texts are truncated to fit the terminal.
    pub fn new(outputs: &Task) -> Self {
        let few = outputs.num_labels() <= MAX_COLUMNS;
        let columns = objective::of(outputs.problem_type()).shown_columns(outputs);
        let is_shown = |column: &Column| few || !matches!(column.field, Field::Probability(_));
        let mut table = Self {
            outputs: outputs.clone(),
            columns: columns.into_iter().filter(is_shown).collect(),
            text_width: *TEXT_WIDTH.end(),
        };
        if let Some(columns) = terminal::columns() {
            let others = width(&table.header()) - table.text_width;
            let left = columns.saturating_sub(others);
            table.text_width = left.clamp(*TEXT_WIDTH.start(), *TEXT_WIDTH.end());
        }
        table
    }

    /// Returns the header line, without a line feed.
    pub fn header(&self) -> String {
        let mut header = fit("text", self.text_width);
        for Column { name, field } in &self.columns {
            header += "  ";
            header += &match field {
                Field::Label => fit(name, self.label_width()),
                Field::Labels => name.clone(),
                _ => fit_right(name, column_width(name)),
            };
        }
        header
    }

    /// Returns the line of a text and its prediction, without a line feed; `-` marks missing values.
    pub fn row(&self, texts: Option<&Texts>, prediction: Option<&Prediction>) -> String {
        let text = texts.map_or_else(|| "-".into(), one_line);
        let mut row = fit(&text, self.text_width);
        for Column { name, field } in &self.columns {
            row += "  ";
            row += &match field {
                Field::Label => {
                    let label = prediction.map_or("-", |prediction| &prediction.label);
                    fit(label, self.label_width())
                }
                Field::Labels => {
                    let labels = prediction.and_then(|prediction| prediction.labels.as_ref());
                    let labels = labels.filter(|labels| !labels.is_empty());
                    labels.map_or_else(|| "-".into(), |labels| labels.join(", "))
                }
                number => {
                    let value = prediction.and_then(|prediction| number.number(prediction));
                    let width = column_width(name);
                    match value {
                        Some(value) => format!("{value:>width$.4}"),
                        None => format!("{:>width$}", "-"),
                    }
                }
            };
        }
        row
    }

    fn label_width(&self) -> usize {
        widest(self.outputs.names(), "label".len())
    }
}

fn column_width(name: &str) -> usize {
    width(name).max(7)
}
