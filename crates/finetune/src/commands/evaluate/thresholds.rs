//! Searches the probability thresholds of labels, and saves them with the model.

use std::{io::Write, path::Path};

use finetune_files::replace_file;
use finetune_metrics::{BestThresholds, MultiLabelAccumulator};
use finetune_models::{CONFIG, ModelConfig};
use serde_json::{Value, json};

use crate::{
    cli::args::Thresholds,
    error::Failure,
    view::terminal::{fit, widest},
};

/// The best thresholds of a model, and their effect.
pub struct Found {
    kind: Thresholds,
    names: Vec<String>,
    thresholds: Vec<f64>,
    best: BestThresholds,
    /// Micro and macro F1, with the old thresholds and with the new.
    f1: [[f64; 2]; 2],
}

impl Found {
    /// Searches for the best thresholds on the rows of an evaluation.
    ///
    /// # Errors
    /// Fails if the thresholds found are invalid, which is a bug.
    pub fn new(all: &MultiLabelAccumulator, kind: Thresholds) -> Result<Self, Failure> {
        let best = all.best_thresholds();
        let thresholds = match kind {
            Thresholds::Global => vec![best.global; best.per_class.len()],
            Thresholds::PerLabel => best.per_class.clone(),
        };
        let mut after = all.clone();
        after
            .set_thresholds(&thresholds)
            .map_err(|error| Failure::Internal(error.to_string()))?;
        let f1 = [all, &after].map(|all| {
            let summary = all.summary();
            [summary.f1_micro, summary.f1_macro]
        });
        Ok(Self {
            kind,
            names: all.class_names().to_vec(),
            thresholds,
            best,
            f1,
        })
    }

    /// Writes the thresholds into the model's `config.json`, where prediction and evaluation find them.
    /// transformers preserves unknown keys of that file when it saves a model, but not unknown files.
    ///
    /// # Errors
    /// Fails if the file cannot be read or written.
    pub fn save(&self, directory: &Path) -> Result<(), Failure> {
        let mut config = ModelConfig::from_directory(directory)?;
        config.label_thresholds = Some(self.thresholds.clone());
        let path = directory.join(CONFIG);
        let text = config.to_json();
        Ok(replace_file(&path, |file| file.write_all(text.as_bytes()))?)
    }

    /// Formats the thresholds, their effect, and where they are saved.
    pub fn text(&self, directory: &Path) -> String {
        let [[micro, macro_], [new_micro, new_macro]] = self.f1;
        let mut text = match self.kind {
            Thresholds::Global => format!("threshold for all labels {:.4}\n", self.best.global),
            Thresholds::PerLabel => {
                let width = widest(&self.names, "label".len());
                let mut table = format!("{}  threshold      F1\n", fit("label", width));
                let found = self.thresholds.iter().zip(&self.best.f1_per_class);
                for (name, (threshold, f1)) in self.names.iter().zip(found) {
                    table += &format!("{}  {threshold:>9.4}  {f1:>6.4}\n", fit(name, width));
                }
                table
            }
        };
        text += &format!(
            "\nF1 micro {micro:.4} -> {new_micro:.4}, F1 macro {macro_:.4} -> {new_macro:.4} on these rows\n\
             saved   {} (label_thresholds)\n",
            directory.join(CONFIG).display()
        );
        text
    }

    /// Returns the thresholds and their effect as a JSON object.
    pub fn json(&self) -> Value {
        let [before, after] = self.f1;
        let f1 = |[micro, macro_]: [f64; 2]| json!({"f1_micro": micro, "f1_macro": macro_});
        let named = self.names.iter().cloned().zip(&self.thresholds);
        let thresholds: serde_json::Map<_, _> =
            named.map(|(name, value)| (name, json!(value))).collect();
        json!({"label_thresholds": thresholds, "before": f1(before), "after": f1(after)})
    }
}
