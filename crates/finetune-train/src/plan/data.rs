//! Which rows a run reads, and how they are read.

use std::num::NonZeroU64;

use finetune_data::{CsvOptions, ProblemType};

/// The data set, its splits and columns, and the meaning of its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct DataPlan {
    /// The data set, as the user named it.
    pub dataset: String,
    /// The data set's configuration on the hub; `None` for a file or directory.
    pub dataset_config: Option<String>,
    /// The data set's commit on the hub, whichever revision was requested; `None` for a file or
    /// directory.
    pub dataset_revision: Option<String>,
    /// Fingerprints of the tokenized training, validation and test rows; they cover texts, labels and
    /// tokenizer.
    pub dataset_fingerprints: Vec<String>,
    /// Split expression of the training rows.
    pub train_split: String,
    /// Split expression of the validation rows; `None` takes a fraction of the training rows.
    pub validation_split: Option<String>,
    /// That fraction, sampled class by class.
    pub validation_fraction: f64,
    /// Split expression of the test rows, if there are any.
    pub test_split: Option<String>,
    /// Number of training rows, sampled at random; `None` uses all.
    pub train_rows: Option<NonZeroU64>,
    /// Number of validation rows, sampled at random; `None` uses all.
    pub eval_rows: Option<NonZeroU64>,
    /// How CSV files are read, where detection is overridden.
    pub csv: CsvOptions,
    /// One text column, or two for text pairs.
    pub text_column: Vec<String>,
    /// The label column, or one column per output.
    pub label_column: Vec<String>,
    /// Names of the outputs in order: the classes, or the targets of a regression.
    pub labels: Vec<String>,
    /// Whether names in the data, or names of a model's outputs, are matched by position if they match
    /// none of `labels`.
    pub labels_by_position: bool,
    /// The problem type that the labels imply.
    pub problem_type: ProblemType,
    /// Separator of the labels in a cell that holds several.
    pub label_separator: Option<char>,
    /// Whether rows without a text or a label are skipped.
    pub skip_invalid: bool,
    /// Maximum number of tokens per row.
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
