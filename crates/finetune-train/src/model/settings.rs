//! `finetune.json`: how the rows of a model were chosen and read, stored beside its `config.json` so
//! that prediction and evaluation treat texts as training did. transformers ignores the file.

use std::{fs, io::ErrorKind, path::Path};

use finetune_files::{FileError, IoContext};
use finetune_models::Task;
use serde_json::{Map, Value, json};

use crate::{FileFacts, TrainError, TrainPlan};

/// Version of the file's format, incremented when a key changes its meaning.
const VERSION: u64 = 1;

/// The keys of the plan that are stored with the model. The outputs are described in `config.json`.
const KEPT: [&str; 19] = [
    "csv",
    "dataset",
    "dataset_config",
    "dataset_revision",
    "train_split",
    "validation_split",
    "validation_fraction",
    "test_split",
    "train_rows",
    "eval_rows",
    "seed",
    "text_column",
    "label_column",
    "labels_by_position",
    "label_separator",
    "skip_invalid",
    "max_length",
    "eval_batch_size",
    "precision",
];

/// The settings of a run that are stored with its model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSettings {
    /// A plan with the run's values for the keys in [`KEPT`], and defaults for all others.
    plan: TrainPlan,
    /// The files of the training rows, with the hashes that identify them.
    pub train_files: Vec<FileFacts>,
}

impl ModelSettings {
    /// The file's name in a model directory.
    pub const FILE: &str = "finetune.json";

    /// Creates the settings of a run.
    pub fn new(plan: &TrainPlan, train_files: Vec<FileFacts>) -> Self {
        Self {
            plan: plan.clone(),
            train_files,
        }
    }

    /// Reads the settings in a model directory; `None` if there are none, as in models saved by
    /// transformers. Unknown keys are ignored, missing ones get their defaults.
    ///
    /// # Errors
    /// Fails with [`TrainError::File`] if the file cannot be read, and with [`TrainError::Settings`] if
    /// it is invalid or a newer version wrote it.
    pub fn read(directory: &Path) -> Result<Option<Self>, TrainError> {
        let path = directory.join(Self::FILE);
        let problem = |problem: String| TrainError::Settings {
            path: path.clone(),
            problem,
        };
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FileError::new("read", &path, error).into()),
        };
        let mut file: Map<String, Value> =
            serde_json::from_slice(&text).map_err(|error| problem(error.to_string()))?;
        match file.get("format_version").map(Value::as_u64) {
            Some(Some(VERSION)) => {}
            Some(Some(newer @ 2..)) => {
                return Err(problem(format!(
                    "a newer version wrote it (format_version {newer}, this program reads {VERSION}); update finetune"
                )));
            }
            found => {
                let found = found.map_or("none".into(), |_| file["format_version"].to_string());
                return Err(problem(format!(
                    "format_version: expected {VERSION}, found {found}"
                )));
            }
        }
        let train_files = match file.remove("train_files") {
            None => Vec::new(),
            Some(files) => serde_json::from_value(files)
                .map_err(|error| problem(format!("train_files: {error}")))?,
        };
        let mut plan = TrainPlan::blank();
        for key in KEPT {
            let Some(value) = file.remove(key) else {
                continue;
            };
            // Keys are read one at a time, so that an error can name its key.
            let mut table = serde_json::to_value(&plan).unwrap_or_default();
            table[key] = value;
            plan = serde_json::from_value(table)
                .map_err(|error| problem(format!("{key}: {error}")))?;
        }
        Ok(Some(Self { plan, train_files }))
    }

    /// Returns the text of the file.
    pub fn to_json(&self) -> String {
        let plan = serde_json::to_value(&self.plan).unwrap_or_default();
        let mut file = json!({"format_version": VERSION});
        for key in KEPT {
            // Keys that the plan omits have their defaults, which are not null.
            if let Some(value) = plan.get(key) {
                file[key] = value.clone();
            }
        }
        file["train_files"] = json!(self.train_files);
        format!("{file:#}\n")
    }

    /// Writes the file to an existing directory, which [`finetune_files::publish_directory`] publishes.
    ///
    /// # Errors
    /// Fails with [`TrainError::File`].
    pub fn write(&self, directory: &Path) -> Result<(), TrainError> {
        let path = directory.join(Self::FILE);
        Ok(fs::write(&path, self.to_json()).context("write", &path)?)
    }

    /// Returns a plan with these settings, the model's outputs and defaults for the rest, which is
    /// enough to select the run's rows again.
    pub fn plan(&self, outputs: &Task) -> TrainPlan {
        let mut plan = self.plan.clone();
        plan.data.labels = outputs.names().to_vec();
        plan.data.problem_type = outputs.problem_type();
        plan
    }

    /// Returns a plan with the stored keys; all others are defaults.
    pub fn kept(&self) -> &TrainPlan {
        &self.plan
    }

    /// Returns whether rows are pairs of texts.
    pub fn pairs(&self) -> bool {
        self.plan.data.text_column.len() == 2
    }
}

#[cfg(test)]
mod tests {
    use finetune_kernels::Precision;

    use super::*;
    use crate::{DataPlan, ModelPlan, RunLength};

    #[test]
    fn stored_keys_are_keys_of_the_plan() {
        for key in KEPT {
            assert!(
                TrainPlan::KEYS.iter().any(|of_plan| of_plan.name == key),
                "{key}"
            );
        }
    }

    fn written(text: &str) -> Result<Option<ModelSettings>, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(ModelSettings::FILE), text).unwrap();
        ModelSettings::read(folder.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn settings_round_trip() {
        let kept = TrainPlan {
            data: DataPlan {
                dataset: "reviews.csv".into(),
                text_column: vec!["question".into(), "answer".into()],
                label_column: vec!["right".into()],
                validation_fraction: 0.25,
                max_length: 64,
                ..DataPlan::default()
            },
            model: ModelPlan {
                precision: Precision::Bf16,
                ..ModelPlan::default()
            },
            seed: u64::MAX,
            ..TrainPlan::blank()
        };
        let mut plan = kept.clone();
        // Not stored: how a model was trained does not affect how it reads rows.
        plan.optimization.length = RunLength::Epochs(7.0);
        let file = FileFacts {
            path: "reviews.csv".into(),
            bytes: 12,
            sha256: "ab".repeat(32),
        };
        let settings = ModelSettings::new(&plan, vec![file]);
        let read = written(&settings.to_json()).unwrap().unwrap();
        assert_eq!(read.train_files, settings.train_files);
        assert!(read.pairs());
        assert_eq!(read.kept(), &kept);
        assert_eq!(read.to_json(), settings.to_json());
    }

    #[test]
    fn other_versions_may_add_keys() {
        let read = written("{\"format_version\": 1, \"max_length\": 9, \"colour\": [1]}");
        let read = read.unwrap().unwrap();
        assert_eq!(read.kept().data.max_length, 9);
        assert_eq!(read.kept().seed, 42);
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(ModelSettings::read(folder.path()).unwrap(), None);
    }

    #[test]
    fn damage_is_named() {
        for (text, words) in [
            (
                "{\"format_version\": 1, \"max_le",
                &["finetune.json", "EOF"][..],
            ),
            ("[]", &["finetune.json"]),
            ("{}", &["format_version", "found none"]),
            (
                "{\"format_version\": 3}",
                &["newer version", "update finetune"],
            ),
            (
                "{\"format_version\": 1, \"max_length\": \"long\"}",
                &["finetune.json", "max_length", "string"],
            ),
            (
                "{\"format_version\": 1, \"train_files\": 5}",
                &["train_files"],
            ),
        ] {
            let error = written(text).unwrap_err();
            for word in words {
                assert!(error.contains(word), "no {word:?} in {error}");
            }
        }
    }
}
