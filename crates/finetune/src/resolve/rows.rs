//! Chooses the rows of a run, with their columns and labels.

use std::num::NonZeroU64;

use finetune_data::{
    Columns, CsvOptions, ProblemType, Split, Task, TextRows, TextTokenizer, is_text_file,
};
use finetune_infer::objective;
use finetune_train::{AdaptationPlan, DataPlan, TrainData, TrainPlan};

use crate::{
    cli::train_options::TrainOptions,
    error::Failure,
    resolve::{
        class_checks::Counted,
        data::{tokenize_windows, tokenize_with_unlabelled},
        dataset::OpenedDataset,
        draw::{Draw, tokenize_drawn},
        unlabelled::{self, Reading},
        whole_splits::{self, WholeSplits},
    },
    view::output::say,
};

/// The rows of a run, their columns and labels.
pub struct Rows {
    /// The data set as named by the user.
    pub dataset: String,
    /// Configuration of a data set from the hub, else empty.
    pub dataset_config: String,
    /// Commit of a data set from the hub, else empty.
    pub dataset_revision: String,
    train: Split,
    /// Number of training rows to draw; `None` for all.
    train_rows: Option<NonZeroU64>,
    /// Split expression of the training rows.
    pub train_name: String,
    validation: Split,
    /// Number of validation rows to draw; `None` for all.
    eval_rows: Option<NonZeroU64>,
    seed: u64,
    /// Split expression of the validation rows; `None` for a share of the training rows.
    pub validation_name: Option<String>,
    test: Option<(Split, String)>,
    pub columns: Columns,
    pub labels: Task,
    /// Whether labels are indices, from 0, into the names that the user gave.
    by_index: bool,
    csv: CsvOptions,
    skip_invalid: bool,
    /// Whether only texts are read, of any length, to pretrain on them.
    pub texts_only: bool,
    /// Further training rows without labels, with their columns, for which a teacher has some.
    unlabelled: Vec<(Split, Columns)>,
}

/// A choice of rows, columns and labels of a data set. Options may leave it partly open; a plan does not.
#[derive(Clone, PartialEq)]
pub struct RowChoice<'a> {
    pub(super) dataset: Option<&'a str>,
    pub(super) dataset_config: &'a str,
    pub(super) dataset_revision: &'a str,
    pub(super) train_split: Option<&'a str>,
    pub(super) validation_split: Option<&'a str>,
    pub(super) validation_fraction: f64,
    pub(super) test_split: Option<&'a str>,
    pub(super) text_column: &'a [String],
    pub(super) label_column: &'a [String],
    pub(super) labels: &'a [String],
    pub(super) labels_by_position: bool,
    pub(super) problem_type: Option<ProblemType>,
    pub(super) label_separator: Option<char>,
    pub(super) skip_invalid: bool,
    pub(super) train_rows: Option<NonZeroU64>,
    pub(super) eval_rows: Option<NonZeroU64>,
    pub(super) seed: u64,
    pub(super) csv: CsvOptions,
    /// What a row of a text file is, if only texts are read; `None` reads labels too.
    pub(super) texts: Option<TextRows>,
    /// A data set of further texts without labels, for which a teacher has some.
    pub(super) unlabelled: Option<&'a str>,
}

impl<'a> RowChoice<'a> {
    /// Chooses the texts to pretrain on.
    pub fn texts(options: &'a TrainOptions) -> Self {
        Self {
            texts: Some(text_rows(options.line_by_line)),
            ..Self::from(options)
        }
    }
}

/// Returns what a row of a text file is.
fn text_rows(line_by_line: Option<bool>) -> TextRows {
    match line_by_line {
        None => TextRows::Detected,
        Some(true) => TextRows::Lines,
        Some(false) => TextRows::Documents,
    }
}

impl<'a> From<&'a TrainOptions> for RowChoice<'a> {
    fn from(options: &'a TrainOptions) -> Self {
        let default = DataPlan::default();
        Self {
            dataset: options.dataset.as_deref(),
            dataset_config: options.dataset_config.as_deref().unwrap_or_default(),
            dataset_revision: options.dataset_revision.as_deref().unwrap_or_default(),
            train_split: options.train_split.as_deref(),
            validation_split: options.validation_split.as_deref(),
            validation_fraction: options
                .validation_fraction
                .unwrap_or(default.validation_fraction),
            test_split: options.test_split.as_deref(),
            text_column: &options.text_column,
            label_column: &options.label_column,
            labels: &options.labels,
            labels_by_position: options
                .labels_by_position
                .unwrap_or(default.labels_by_position),
            problem_type: options.problem_type,
            label_separator: options.label_separator,
            skip_invalid: options.skip_invalid.unwrap_or(default.skip_invalid),
            train_rows: options.train_rows.and_then(NonZeroU64::new),
            eval_rows: options.eval_rows.and_then(NonZeroU64::new),
            seed: options.seed.unwrap_or(TrainPlan::SEED),
            csv: options.csv(),
            texts: None,
            unlabelled: options.teacher.as_ref().and(options.unlabelled.as_deref()),
        }
    }
}

impl<'a> From<&'a TrainPlan> for RowChoice<'a> {
    fn from(plan: &'a TrainPlan) -> Self {
        Self {
            dataset: Some(&plan.data.dataset),
            dataset_config: plan.data.dataset_config.as_deref().unwrap_or_default(),
            dataset_revision: plan.data.dataset_revision.as_deref().unwrap_or_default(),
            train_split: Some(&plan.data.train_split),
            validation_split: Some(plan.data.validation_split.as_deref().unwrap_or_default()),
            validation_fraction: plan.data.validation_fraction,
            test_split: Some(plan.data.test_split.as_deref().unwrap_or_default()),
            text_column: &plan.data.text_column,
            label_column: &plan.data.label_column,
            labels: &plan.data.labels,
            labels_by_position: plan.data.labels_by_position,
            problem_type: Some(plan.data.problem_type),
            label_separator: plan.data.label_separator,
            skip_invalid: plan.data.skip_invalid,
            train_rows: plan.data.train_rows,
            eval_rows: plan.data.eval_rows,
            seed: plan.seed,
            csv: plan.data.csv.clone(),
            texts: plan
                .pretraining
                .as_ref()
                .map(|pretraining| text_rows(pretraining.line_by_line)),
            unlabelled: plan
                .distillation
                .as_ref()
                .and_then(|plan| plan.unlabelled.as_deref()),
        }
    }
}

impl Rows {
    /// Opens the data set and finds rows, columns and classes.
    ///
    /// # Errors
    /// Fails if the data set cannot be read, or if its rows, columns or labels do not fit the choice.
    pub fn choose<'a>(choice: impl Into<RowChoice<'a>>) -> Result<Self, Failure> {
        let choice = choice.into();
        let (path, opened) = whole_splits::open(&choice)?;
        Self::choose_in(&path, opened, choice)
    }

    /// Chooses rows as [`choose`](Self::choose) does, from the data set `path` that is already open with
    /// all chosen splits.
    ///
    /// # Errors
    /// Fails as `choose` does.
    pub fn choose_in<'a>(
        path: &str,
        opened: OpenedDataset,
        choice: impl Into<RowChoice<'a>>,
    ) -> Result<Self, Failure> {
        let choice = choice.into();
        let WholeSplits {
            train: whole_train,
            train_name,
            validation: named_validation,
            validation_name,
            test,
            columns,
            labels,
            by_index,
            ..
        } = WholeSplits::choose_in(&opened.dataset, &choice)?;
        let texts_only = choice.texts.is_some();
        let labelled = !texts_only;
        let (train, validation) = match named_validation {
            Some(validation) => (whole_train, validation),
            None => {
                let fraction = choice.validation_fraction;
                let rows = whole_train.len();
                let strata = Some(&labels).filter(|_| labelled);
                let parts =
                    whole_train.stratified_split(&columns, strata, fraction, choice.seed)?;
                if parts.1.is_empty() {
                    return Err(Failure::User(format!(
                        "{path} has no validation split, and a share of {fraction} of its {rows} training rows, of which each class keeps one, leaves no row; use more rows, or name rows with --validation-split"
                    )));
                }
                parts
            }
        };
        let unlabelled = match choice.unlabelled {
            Some(name) => {
                let evaluated = [Some(&validation), test.as_ref().map(|(test, _)| test)];
                let reading = Reading {
                    csv: &choice.csv,
                    text_rows: TextRows::Detected,
                    text: &columns.text,
                    skip_invalid: choice.skip_invalid,
                };
                unlabelled::open(name, &reading, evaluated)?
            }
            None => Vec::new(),
        };
        Ok(Self {
            dataset: path.to_string(),
            dataset_config: opened.config,
            dataset_revision: opened.revision,
            train,
            train_rows: choice.train_rows,
            train_name,
            validation,
            eval_rows: choice.eval_rows,
            seed: choice.seed,
            validation_name,
            test,
            columns,
            labels,
            by_index,
            csv: choice.csv,
            skip_invalid: choice.skip_invalid,
            texts_only,
            unlabelled,
        })
    }

    /// Tokenizes all splits, and checks which classes the chosen rows have.
    ///
    /// # Errors
    /// Fails if rows cannot be read or tokenized, if all training rows have the same class, or if texts
    /// alone do not fill one window.
    pub fn tokenize(
        &self,
        max_length: usize,
        tokenizer: &TextTokenizer,
    ) -> Result<TrainData, Failure> {
        if self.texts_only {
            return self.windows(max_length, tokenizer);
        }
        let data = self.tokens(max_length, tokenizer)?;
        let others = [
            ("validation", Some(&data.validation)),
            ("test", data.test.as_ref()),
        ];
        let counted = Counted::new(&self.labels, &data.train, &others);
        if let Some(counted) = counted {
            for note in counted.check(&self.columns.label, self.train.name(), self.by_index)? {
                say!("note: {note}");
            }
        }
        Ok(data)
    }

    /// Tokenizes all splits, without a check of their classes.
    ///
    /// # Errors
    /// Fails if rows cannot be read or tokenized.
    pub fn tokens(
        &self,
        max_length: usize,
        tokenizer: &TextTokenizer,
    ) -> Result<TrainData, Failure> {
        let tokens = |split: &Split, rows: Option<NonZeroU64>| {
            let draw = Draw {
                rows: rows.map_or(0, NonZeroU64::get),
                seed: self.seed,
            };
            tokenize_drawn(
                split,
                draw,
                &self.columns,
                &self.labels,
                tokenizer,
                max_length,
            )
        };
        let labelled = tokens(&self.train, self.train_rows)?;
        let unlabelled = self.unlabelled.iter();
        let unlabelled: Vec<_> = unlabelled
            .map(|(split, columns)| (split, columns))
            .collect();
        let train = match unlabelled.is_empty() {
            true => labelled,
            false => tokenize_with_unlabelled(
                (labelled.split(), &self.columns),
                &unlabelled,
                &self.labels,
                tokenizer,
                max_length,
            )?,
        };
        Ok(TrainData {
            train,
            validation: tokens(&self.validation, self.eval_rows)?,
            test: match &self.test {
                Some((split, _)) => Some(tokens(split, None)?),
                None => None,
            },
        })
    }

    /// Tokenizes all splits as windows.
    fn windows(&self, max_length: usize, tokenizer: &TextTokenizer) -> Result<TrainData, Failure> {
        let tokens = |split: &Split, rows: Option<NonZeroU64>| {
            let drawn = split.shuffle_take(self.seed, rows.map_or(0, NonZeroU64::get))?;
            let sources = [(&drawn, &self.columns)];
            let windows = tokenize_windows(&sources, tokenizer, max_length)?;
            match windows.is_empty() {
                true => Err(Failure::User(format!(
                    "{}: all texts of {} are empty, so there is nothing to mask",
                    self.dataset,
                    split.name()
                ))),
                false => Ok(windows),
            }
        };
        let train = tokens(&self.train, self.train_rows)?;
        let all = train.total_tokens();
        if all < max_length as u64 {
            return Err(Failure::User(format!(
                "{}: the training texts have {all} tokens in all, less than one window of {max_length}; pretrain on more texts, or with a smaller --max-length",
                self.dataset
            )));
        }
        Ok(TrainData {
            train,
            validation: tokens(&self.validation, self.eval_rows)?,
            test: match &self.test {
                Some((split, _)) => Some(tokens(split, None)?),
                None => None,
            },
        })
    }

    /// Tokenizes the texts to adapt the base model to: those of the training rows and the unlabelled
    /// ones, and those of the validation rows to judge by.
    ///
    /// # Errors
    /// Fails if the texts cannot be read or tokenized.
    pub fn adaptation(
        &self,
        plan: &AdaptationPlan,
        max_length: usize,
        tokenizer: &TextTokenizer,
    ) -> Result<TrainData, Failure> {
        let train = self.drawn_train()?;
        let unlabelled = match &plan.unlabelled {
            Some(name) => {
                let evaluated = [
                    Some(&self.validation),
                    self.test.as_ref().map(|(test, _)| test),
                ];
                let reading = Reading {
                    csv: &self.csv,
                    text_rows: text_rows(plan.masks.line_by_line),
                    text: &self.columns.text,
                    skip_invalid: self.skip_invalid,
                };
                unlabelled::open(name, &reading, evaluated)?
            }
            None => Vec::new(),
        };
        let mut sources = vec![(&train, &self.columns)];
        sources.extend(unlabelled.iter().map(|(split, columns)| (split, columns)));
        let eval_rows = self.eval_rows.map_or(0, NonZeroU64::get);
        let validation = self.validation.shuffle_take(self.seed, eval_rows)?;
        Ok(TrainData {
            train: tokenize_windows(&sources, tokenizer, max_length)?,
            validation: tokenize_windows(&[(&validation, &self.columns)], tokenizer, max_length)?,
            test: None,
        })
    }

    /// Returns the training rows, or those that are drawn.
    ///
    /// # Errors
    /// Fails if the rows cannot be read.
    pub fn drawn_train(&self) -> Result<Split, Failure> {
        let labels = Some(&self.labels);
        let rows = self.train_rows.map_or(0, NonZeroU64::get);
        let drawn = self.train.draw(&self.columns, labels, self.seed, rows)?;
        Ok(drawn.0)
    }

    /// Returns whether any file has lines of text without columns.
    pub fn has_text_files(&self) -> bool {
        let files = self.train.files().into_iter();
        let mut files = files.chain(self.validation.files());
        files.any(|file| is_text_file(&file))
    }

    /// Returns all validation rows.
    pub fn validation(&self) -> &Split {
        &self.validation
    }

    /// Returns the split expression of the test rows, if there are any.
    pub fn test_name(&self) -> Option<String> {
        self.test.as_ref().map(|(_, name)| name.clone())
    }

    /// Describes the labels in words.
    pub fn describe_labels(&self) -> String {
        if self.texts_only {
            return "texts without labels".into();
        }
        objective::of(self.labels.problem_type()).describe(&self.labels)
    }
}
