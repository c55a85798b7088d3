//! Chooses the rows of a run, with their columns and labels.

use std::num::NonZeroU64;

use finetune_data::{
    Columns, CsvOptions, Dataset, Inferred, LabelCells, NameNotes, NamesOf, Note, ProblemType,
    ReadOptions, Split, Task, TextRows, TextTokenizer, is_text_file,
};
use finetune_infer::objective;
use finetune_train::{AdaptationPlan, DataPlan, TrainData, TrainPlan};

use crate::{
    cli::train_options::TrainOptions,
    error::Failure,
    resolve::{
        class_checks::{self, Counted},
        data::{read_options, say_notes, tokenize_windows, tokenize_with_unlabelled},
        dataset::{DatasetName, OpenedDataset},
        draw::{Draw, tokenize_drawn},
        label_reading,
        unlabelled::{self, Reading},
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
    dataset: Option<&'a str>,
    dataset_config: &'a str,
    dataset_revision: &'a str,
    train_split: Option<&'a str>,
    validation_split: Option<&'a str>,
    validation_fraction: f64,
    test_split: Option<&'a str>,
    text_column: &'a [String],
    label_column: &'a [String],
    labels: &'a [String],
    labels_by_position: bool,
    problem_type: Option<ProblemType>,
    label_separator: Option<char>,
    skip_invalid: bool,
    train_rows: Option<NonZeroU64>,
    eval_rows: Option<NonZeroU64>,
    seed: u64,
    csv: CsvOptions,
    /// What a row of a text file is, if only texts are read; `None` reads labels too.
    texts: Option<TextRows>,
    /// A data set of further texts without labels, for which a teacher has some.
    unlabelled: Option<&'a str>,
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

/// Returns the default split for a role. If there are several candidates, a note says which is chosen.
fn default_split(dataset: &Dataset, role: &str) -> Option<String> {
    let (name, note) = dataset.default_split(role)?;
    say_notes(note.as_slice());
    Some(name)
}

/// Returns a note on splits that no expression of `used` names. It omits the other candidates for a role,
/// which [`default_split`] has already noted.
fn unused_splits(dataset: &Dataset, used: &[&str]) -> Option<Note> {
    let names = dataset.split_names();
    let is_named = |name: &str| {
        used.iter()
            .flat_map(|expression| expression.split('+'))
            .any(|term| dataset.is_split(term.split('[').next().unwrap_or(term).trim(), name))
    };
    let of_several =
        |role: &str, name: &str| name != role && name.starts_with(role) && !dataset.has_split(role);
    let unused: Vec<_> = names
        .into_iter()
        .filter(|name| !is_named(name))
        .filter(|name| {
            !["validation", "test"]
                .iter()
                .any(|role| of_several(role, name))
        })
        .collect();
    (!unused.is_empty()).then(|| {
        Note::new(format!(
            "{} also has {}, which {} not used; name a split with --validation-split or --test-split",
            dataset.path(),
            unused.join(", "),
            if unused.len() == 1 { "is" } else { "are" }
        ))
    })
}

impl Rows {
    /// Opens the data set and finds rows, columns and classes.
    ///
    /// # Errors
    /// Fails if the data set cannot be read, or if its rows, columns or labels do not fit the choice.
    pub fn choose<'a>(choice: impl Into<RowChoice<'a>>) -> Result<Self, Failure> {
        let choice = choice.into();
        let Some(path) = choice.dataset.map(str::to_string) else {
            return Err(Failure::User(
                "no data: name a file, a directory with one file per split, a glob, or a data set on the hub with --dataset".into(),
            ));
        };
        let options = ReadOptions {
            text_rows: choice.texts.unwrap_or_default(),
            ..read_options(choice.csv.clone())
        };
        let found = DatasetName {
            name: &path,
            config: choice.dataset_config,
            revision: choice.dataset_revision,
        }
        .find(&options)?;
        let or_default = |given: Option<&str>, role: &str| match given {
            Some(expression) => expression.to_string(),
            None => found.default_split(role).unwrap_or_default(),
        };
        let wanted = [
            choice.train_split.unwrap_or("train").to_string(),
            or_default(choice.validation_split, "validation"),
            or_default(choice.test_split, "test"),
        ];
        Self::choose_in(&path, found.open(&wanted, &options)?, choice)
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
        let dataset = opened.dataset;
        let train_name = choice.train_split.unwrap_or("train").to_string();
        let whole_train = dataset.split(&train_name)?;
        let texts_only = choice.texts.is_some();
        let labelled = !texts_only;
        let mut columns = Columns::resolve(
            &whole_train,
            choice.text_column,
            choice.label_column,
            labelled,
        )?
        .by_position(choice.labels_by_position);
        if texts_only {
            columns.label.clear();
        }
        say_notes(&columns.other_choices(&whole_train, choice.text_column, choice.label_column));
        columns.cells = LabelCells {
            separator: choice.label_separator,
            ..LabelCells::default()
        };
        let valid = |split| label_reading::valid(split, &columns, choice.skip_invalid);
        let whole_train = valid(whole_train)?;
        let test_name = match choice.test_split {
            Some(name) => Some(name.to_string()).filter(|name| !name.is_empty()),
            None => default_split(&dataset, "test"),
        };
        let test = match test_name {
            Some(name) => Some((dataset.split(&name)?, name)),
            None => None,
        };
        let hidden = label_reading::Hidden {
            columns: &columns,
            labels: choice.labels,
            problem_type: choice.problem_type,
        };
        let test = match labelled {
            true => hidden.without_test(test, choice.test_split.is_some())?,
            false => test,
        };
        let test = match test {
            Some((split, name)) => Some((valid(split)?, name)),
            None => None,
        };
        let validation_name = match choice.validation_split {
            Some(name) => name.to_string(),
            None => default_split(&dataset, "validation").unwrap_or_default(),
        };
        let named_validation = match validation_name.is_empty() {
            true => None,
            false => Some(dataset.split(&validation_name)?),
        };
        let named = choice.validation_split.is_some();
        let named_validation = match labelled {
            true => hidden.without_validation(named_validation, named)?,
            false => named_validation,
        };
        let named_validation = named_validation.map(valid).transpose()?;
        let validation_name = named_validation.is_some().then_some(validation_name);

        say_notes(&dataset.notes());
        if choice.test_split.is_none() || choice.validation_split.is_none() {
            let chosen = |given: Option<&str>, role: &str| match given {
                Some(expression) => expression.to_string(),
                None => dataset.default_split(role).unwrap_or_default().0,
            };
            let used = [
                train_name.as_str(),
                validation_name.as_deref().unwrap_or_default(),
                &chosen(choice.validation_split, "validation"),
                &chosen(choice.test_split, "test"),
                "validation",
                "test",
            ];
            say_notes(unused_splits(&dataset, &used).as_slice());
        }

        let splits: Vec<&Split> = [Some(&whole_train), named_validation.as_ref()]
            .into_iter()
            .chain([test.as_ref().map(|(split, _)| split)])
            .flatten()
            .collect();
        let names = Some(choice.labels).filter(|names| !names.is_empty());
        let (columns, labels, by_index) = match texts_only {
            true => (columns, Task::Classes(Vec::new()), false),
            false => labels(&splits, columns, names, choice.problem_type)?,
        };
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

/// Finds what the labels mean: the columns, with how their cells are written, the task, and whether labels
/// are indices into `names`, which the user gave.
fn labels(
    splits: &[&Split],
    columns: Columns,
    names: Option<&[String]>,
    problem_type: Option<ProblemType>,
) -> Result<(Columns, Task, bool), Failure> {
    let inferred = Inferred::of(splits, &columns, names, problem_type)?;
    let (columns, labels) = (inferred.columns, inferred.task);
    let name_notes = match names {
        Some(_) => NameNotes::new(&labels, splits, &columns, NamesOf::User)?,
        None => NameNotes::default(),
    };
    if names.is_none() {
        class_checks::refuse_all_different(splits, &columns, &labels)?;
    }
    say_notes(&inferred.notes);
    say_notes(&name_notes.notes);
    Ok((columns, labels, name_notes.by_index))
}
