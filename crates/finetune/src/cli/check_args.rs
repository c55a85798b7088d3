//! The arguments of `finetune check`.

use std::path::PathBuf;

use clap::Args;
use finetune_check::{CLEANED_BY_DEFAULT, REMOVABLE, SIMILARITY};
use finetune_data::ProblemType;

use crate::cli::{
    args::{ColumnArguments, CsvArguments, HubArguments},
    train_options::{TrainOptions, label_name},
};

#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Data set: a file, a directory with one file per split, a glob of shards (Parquet, Arrow, CSV, JSON lines), or a name on the hub
    #[arg(
        value_name = "DATA",
        required_unless_present = "dataset",
        conflicts_with = "dataset"
    )]
    pub datasets: Option<String>,

    /// Same as DATA
    #[arg(long)]
    pub dataset: Option<String>,

    #[command(flatten)]
    pub hub: HubArguments,

    /// Training rows: a split expression, such as train[:80%]
    #[arg(long, value_name = "SPLIT", default_value = "train")]
    pub train_split: String,

    /// Validation rows; "" for none [default: validation, if there is one]
    #[arg(long, value_name = "SPLIT")]
    pub validation_split: Option<String>,

    /// Test rows; "" for none [default: test, if there is one]
    #[arg(long, value_name = "SPLIT")]
    pub test_split: Option<String>,

    #[command(flatten)]
    pub columns: ColumnArguments,

    #[command(flatten)]
    pub csv: CsvArguments,

    /// Label column; several (a,b,c) for one class or value each [default: by convention: label, labels, class, target, …]
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub label_column: Vec<String>,

    /// Names of the classes in order, a,b,c [default: from the data]
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true, value_parser = label_name, value_name = "NAMES")]
    pub labels: Vec<String>,

    /// Task: classification, multi_label or regression [default: from the label columns]
    #[arg(long, value_name = "TYPE")]
    pub problem_type: Option<ProblemType>,

    /// Separator of the labels in one cell, such as ; in anger;joy
    #[arg(long, value_name = "CHARACTER")]
    pub label_separator: Option<char>,

    /// Model whose tokenizer counts the tokens: a directory, a run, or a name on the hub [default: train's, if it is in the cache]
    #[arg(long)]
    pub model: Option<String>,

    /// Revision of the model on the hub: a branch, tag or commit
    #[arg(long)]
    pub revision: Option<String>,

    /// Maximum length of a row in tokens, at which it would be truncated [default: 256, or the model's maximum]
    #[arg(long, value_name = "TOKENS")]
    pub max_length: Option<usize>,

    /// Share of the words, in order, that near duplicates have in common: 0.5 to 1
    #[arg(long, value_name = "SHARE", default_value_t = SIMILARITY)]
    pub similarity: f64,

    /// Do not look for labels that are probably wrong
    #[arg(long, conflicts_with_all = ["probabilities", "save_probabilities"])]
    pub no_mislabelled: bool,

    /// Judge labels by these probabilities, from a model that did not see the rows: a file with a column for each class and a row for each row of the splits in order
    #[arg(long, value_name = "FILE")]
    pub probabilities: Option<PathBuf>,

    /// Write the probabilities by which labels were judged as Parquet; must not exist
    #[arg(long, value_name = "FILE")]
    pub save_probabilities: Option<PathBuf>,

    /// Print what was found as one JSON object on standard output
    #[arg(long)]
    pub json: bool,

    /// Write what was found as a page; must not exist
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Write the splits as Parquet without what was found, with a log of each removed row; must not exist
    #[arg(long, value_name = "DIR")]
    pub write_clean: Option<PathBuf>,

    /// With --write-clean: the findings whose rows are removed, a,b,c; of duplicates one row is kept, and test rows before others
    #[arg(long, value_name = "FINDINGS", value_delimiter = ',', requires = "write_clean", value_parser = REMOVABLE, default_values = CLEANED_BY_DEFAULT)]
    pub remove: Vec<String>,
}

impl CheckArguments {
    /// Returns the data set as it was named.
    pub fn name(&self) -> &str {
        let named = self.datasets.as_deref().or(self.dataset.as_deref());
        named.unwrap_or_default()
    }

    /// Returns the options of `train` that name the same rows.
    pub fn rows(&self) -> TrainOptions {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        TrainOptions {
            dataset: given(self.name()),
            dataset_config: given(&self.hub.dataset_config),
            dataset_revision: given(&self.hub.dataset_revision),
            train_split: Some(self.train_split.clone()),
            validation_split: self.validation_split.clone(),
            test_split: self.test_split.clone(),
            text_column: self.columns.text_column.clone(),
            label_column: self.label_column.clone(),
            labels: self.labels.clone(),
            problem_type: self.problem_type,
            label_separator: self.label_separator,
            csv_delimiter: self.csv.csv_delimiter,
            csv_quoting: self.csv.csv_quoting,
            csv_escape: self.csv.csv_escape,
            csv_comment: self.csv.csv_comment,
            csv_encoding: self.csv.csv_encoding,
            ..TrainOptions::default()
        }
    }
}
