//! What a sweep has found as JSON, CSV, Markdown, and the best options as TOML.

use finetune_compare::{CompareError, name::shown};

use super::{Outcome, State};
use crate::directory::text_of;

impl Outcome {
    /// Returns everything as JSON.
    ///
    /// # Errors
    /// Fails only through a bug.
    pub fn json(&self) -> Result<String, CompareError> {
        let text = serde_json::to_string_pretty(self);
        let text = text.map_err(|error| CompareError::Format(error.to_string()))?;
        Ok(text + "\n")
    }

    /// Returns the table as CSV, with exact numbers and a row per trial.
    ///
    /// # Errors
    /// Fails only through a bug.
    pub fn csv(&self) -> Result<String, CompareError> {
        let failed = |error: String| CompareError::Format(error);
        let mut writer = csv::Writer::from_writer(Vec::new());
        let header = ["trial", "name"].into_iter();
        let header = header.chain(self.keys.iter().map(String::as_str));
        let more = ["value", "test_value", "steps", "epochs", "seconds", "state"];
        writer
            .write_record(header.chain(more))
            .map_err(|error| failed(error.to_string()))?;
        let exact = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
        for row in &self.trials {
            let mut line = vec![row.number.to_string(), row.name.clone()];
            line.extend(row.settings.iter().map(shown));
            line.extend([
                exact(row.value),
                exact(row.test_value),
                row.step.to_string(),
            ]);
            line.extend([row.epoch.to_string(), row.seconds.to_string()]);
            line.push(match &row.state {
                State::Complete => "complete".into(),
                State::Stopped(budget) => format!("stopped after {budget}"),
                State::Unfinished => "unfinished".into(),
                State::Failed(message) => format!("failed: {message}"),
            });
            writer
                .write_record(&line)
                .map_err(|error| failed(error.to_string()))?;
        }
        let bytes = writer
            .into_inner()
            .map_err(|error| failed(error.to_string()))?;
        String::from_utf8(bytes).map_err(|error| failed(error.to_string()))
    }

    /// Returns the tables and what they mean as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = markdown(&self.cells());
        for table in [self.importance_cells()]
            .iter()
            .filter(|table| !table.is_empty())
        {
            text += &format!("\n{}", markdown(table));
        }
        for line in self.failures().iter().chain(&self.legend()) {
            text += &format!("\n{line}\n");
        }
        text
    }

    /// Returns the options of the best complete trial, as `finetune train FILE.toml` takes them.
    ///
    /// # Errors
    /// Fails only through a bug.
    pub fn best_toml(&self) -> Result<Option<String>, CompareError> {
        let Some((row, options)) = self.best_row().zip(self.best_options.as_ref()) else {
            return Ok(None);
        };
        let value = row.value.unwrap_or(f64::NAN);
        Ok(Some(format!(
            "# Trial {}, {}: {} {value} on the validation rows.\n{}",
            row.number + 1,
            row.name,
            self.objective,
            text_of(options)?
        )))
    }
}

fn markdown(lines: &[Vec<String>]) -> String {
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let cells: Vec<String> = line.iter().map(|cell| cell.replace('|', "\\|")).collect();
        text += &format!("| {} |\n", cells.join(" | "));
        if number == 0 {
            text += &format!("|{}\n", "---|".repeat(line.len()));
        }
    }
    text
}
