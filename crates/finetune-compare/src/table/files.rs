//! The table as JSON, CSV and Markdown.

use serde::Serialize;

use super::comparison::{Comparison, Row, ScoreInterval};
use crate::CompareError;

/// A line of `compare.csv`.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    metric: &'a str,
    split: &'a str,
    seeds: usize,
    mean: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    interval_over: Option<&'static str>,
    change: Option<f64>,
    p_seeds: Option<f64>,
    p_seeds_adjusted: Option<f64>,
    p_rows: Option<f64>,
    p_rows_adjusted: Option<f64>,
    train_rows: Option<u64>,
    train_seconds: Option<f64>,
    samples_per_second: Option<f64>,
    peak_memory_bytes: Option<u64>,
    trained_parameters: Option<u64>,
    trained_share: Option<f64>,
    model_bytes: Option<f64>,
    seconds_per_1000: Option<f64>,
    pareto: bool,
    incomplete: usize,
}

impl Comparison {
    /// The whole comparison, with every run, as JSON.
    ///
    /// # Errors
    /// Fails only through a bug.
    pub fn json(&self) -> Result<String, CompareError> {
        let text = serde_json::to_string_pretty(self);
        let text = text.map_err(|error| CompareError::Format(error.to_string()))?;
        Ok(text + "\n")
    }

    /// The table as CSV, with exact numbers and a row per variant.
    ///
    /// # Errors
    /// Fails only through a bug.
    pub fn csv(&self) -> Result<String, CompareError> {
        let failed = |error: String| CompareError::Format(error);
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in &self.rows {
            let line = self.line(row);
            writer
                .serialize(line)
                .map_err(|error| failed(error.to_string()))?;
        }
        let bytes = writer
            .into_inner()
            .map_err(|error| failed(error.to_string()))?;
        String::from_utf8(bytes).map_err(|error| failed(error.to_string()))
    }

    fn line<'a>(&'a self, row: &'a Row) -> Line<'a> {
        let interval = row.score.and_then(|score| score.interval);
        let (low, high, over) = match interval {
            Some(ScoreInterval::Seeds { low, high, .. }) => (Some(low), Some(high), Some("seeds")),
            Some(ScoreInterval::Rows { low, high }) => (Some(low), Some(high), Some("rows")),
            None => (None, None, None),
        };
        let change = row.change.as_ref();
        Line {
            name: &row.name,
            metric: &self.metric,
            split: &self.split,
            seeds: row.runs.len(),
            mean: row.score.map(|score| score.mean),
            low,
            high,
            interval_over: over,
            change: change.map(|change| change.mean),
            p_seeds: change.and_then(|change| Some(change.seeds?.p_value)),
            p_seeds_adjusted: change.and_then(|change| change.seeds_p_adjusted),
            p_rows: change.and_then(|change| Some(change.rows?.p_value)),
            p_rows_adjusted: change.and_then(|change| change.rows_p_adjusted),
            train_rows: row.train_rows,
            train_seconds: row.train_seconds,
            samples_per_second: row.samples_per_second,
            peak_memory_bytes: row.peak_memory_bytes,
            trained_parameters: row.trained_parameters,
            trained_share: row.trained_share,
            model_bytes: row.model_bytes,
            seconds_per_1000: row.seconds_per_1000,
            pareto: row.pareto,
            incomplete: row.incomplete.len(),
        }
    }

    /// The table in Markdown, with what it compares.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        for (number, line) in self.cells().iter().enumerate() {
            let cells: Vec<String> = line.iter().map(|cell| markdown_cell(cell)).collect();
            text += &format!("| {} |\n", cells.join(" | "));
            if number == 0 {
                let rules = (0..line.len()).map(|column| if column < 2 { "---" } else { "---:" });
                text += &format!("|{}|\n", rules.collect::<Vec<_>>().join("|"));
            }
        }
        text.push('\n');
        for line in self.failures().iter().chain(&self.legend) {
            text += &format!("- {}\n", markdown_cell(line));
        }
        text
    }
}

/// A text that Markdown shows as it is.
fn markdown_cell(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '*' | '_' | '`' | '[' | ']' | '<' | '\\' => shown.extend(['\\', c]),
            c if c.is_control() => shown.push(' '),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_shows_texts_as_they_are() {
        assert_eq!(markdown_cell("a|b*c\n<d>"), "a\\|b\\*c \\<d>");
    }
}
