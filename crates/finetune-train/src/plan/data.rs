//! Which rows a run reads, and how.

use std::num::NonZeroU64;

use finetune_data::{CsvOptions, ProblemType};

use crate::TrainError;

/// The data set, its splits and columns, and what its labels are.
#[derive(Clone, Debug, PartialEq)]
pub struct DataPlan {
    /// The data set, as named by the user.
    pub dataset: String,
    /// Its configuration on the hub; `None`: a file or directory.
    pub dataset_config: Option<String>,
    /// Its commit on the hub, whatever revision was asked for; `None`: a file or directory.
    pub dataset_revision: Option<String>,
    /// Fingerprints of the tokenized training, validation and test rows: of texts, labels and
    /// tokenizer.
    pub dataset_fingerprints: Vec<String>,
    /// Split expression of the training rows.
    pub train_split: String,
    /// Split expression of the validation rows; `None`: a share of the training rows.
    pub validation_split: Option<String>,
    /// That share, drawn class by class.
    pub validation_fraction: f64,
    /// Split expression of the test rows, if there are any.
    pub test_split: Option<String>,
    /// Training rows, drawn at random; `None`: all.
    pub train_rows: Option<NonZeroU64>,
    /// Validation rows, drawn at random; `None`: all.
    pub eval_rows: Option<NonZeroU64>,
    /// How CSV files are read, where that is not left to be recognised.
    pub csv: CsvOptions,
    /// One text column, or two for pairs.
    pub text_column: Vec<String>,
    /// The label column, or one per output.
    pub label_column: Vec<String>,
    /// Names of the outputs in order: of the classes, or of the numbers of a regression.
    pub labels: Vec<String>,
    /// Whether names in the data, or of a model's outputs, that match none of these are taken by
    /// position.
    pub labels_by_position: bool,
    /// What the labels are.
    pub problem_type: ProblemType,
    /// What separates the labels of a row in one cell, where something does.
    pub label_separator: Option<char>,
    /// Whether rows without a text or a label are left out.
    pub skip_invalid: bool,
    /// Longest row, in tokens.
    pub max_length: usize,
}

impl Default for DataPlan {
    fn default() -> Self {
        Self {
            dataset: String::new(),
            dataset_config: None,
            dataset_revision: None,
            dataset_fingerprints: Vec::new(),
            train_split: "train".into(),
            validation_split: None,
            validation_fraction: 0.1,
            test_split: None,
            train_rows: None,
            eval_rows: None,
            csv: CsvOptions::default(),
            text_column: Vec::new(),
            label_column: Vec::new(),
            labels: Vec::new(),
            labels_by_position: false,
            problem_type: ProblemType::default(),
            label_separator: None,
            skip_invalid: false,
            max_length: 256,
        }
    }
}

impl DataPlan {
    /// Refuses rows that are not those of the plan, by their fingerprints.
    ///
    /// # Errors
    /// [`TrainError::ChangedRows`], with the splits that differ.
    pub fn check_fingerprints(&self, now: &[String]) -> Result<(), TrainError> {
        if now == self.dataset_fingerprints {
            return Ok(());
        }
        let names = ["training", "validation", "test"].into_iter();
        let changed: Vec<_> = names
            .enumerate()
            .filter(|(index, _)| now.get(*index) != self.dataset_fingerprints.get(*index))
            .map(|(_, name)| name)
            .collect();
        Err(TrainError::ChangedRows {
            dataset: self.dataset.clone(),
            changed,
        })
    }
}
