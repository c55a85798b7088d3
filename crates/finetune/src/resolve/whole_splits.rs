//! The rows of a data set as they are named, before any are held out or drawn.

use finetune_data::{
    Columns, Dataset, Inferred, LabelCells, NameNotes, NamesOf, Note, ProblemType, ReadOptions,
    Skipped, Split, Task,
};

use crate::{
    cli::train_options::TrainOptions,
    error::Failure,
    resolve::{
        class_checks,
        data::{read_options, say_notes},
        dataset::{DatasetName, OpenedDataset},
        label_reading,
        rows::RowChoice,
    },
    view::output::say,
};

/// Whole splits, their columns and labels.
pub struct WholeSplits {
    pub train: Split,
    /// Split expression of the training rows.
    pub train_name: String,
    pub validation: Option<Split>,
    /// Split expression of the validation rows.
    pub validation_name: Option<String>,
    /// The test rows, with their split expression.
    pub test: Option<(Split, String)>,
    pub columns: Columns,
    /// What the labels mean; no classes if only texts are read.
    pub labels: Task,
    /// Whether labels are indices, from 0, into the names that the user gave.
    pub by_index: bool,
    /// The rows that were skipped, by split name.
    pub skipped: Vec<(String, Skipped)>,
    /// Whether only texts are read.
    pub texts_only: bool,
}

/// Opens the data set of a choice, with all chosen splits, and returns its path too.
///
/// # Errors
/// Fails if no data set is named, or if it cannot be found or read.
pub fn open(choice: &RowChoice<'_>) -> Result<(String, OpenedDataset), Failure> {
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
    Ok((path, found.open(&wanted, &options)?))
}

impl WholeSplits {
    /// Opens the data set of some options and finds rows, columns and classes. Rows without a text or a
    /// label are skipped. If there is no label column, and none is named, only texts are read, which is noted.
    ///
    /// # Errors
    /// Fails if the data set cannot be read, or if its rows, columns or labels do not fit the options.
    pub fn open(options: &TrainOptions) -> Result<Self, Failure> {
        let mut choice = RowChoice {
            skip_invalid: true,
            ..RowChoice::from(options)
        };
        let (path, opened) = open(&choice)?;
        let train = opened
            .dataset
            .split(choice.train_split.unwrap_or("train"))?;
        let columns = Columns::resolve(&train, choice.text_column, choice.label_column, false)?;
        if columns.label.is_empty() {
            say!(
                "note: {path} has no column that is called like a label, so only its texts are checked; name one with --label-column"
            );
            choice.texts = Some(finetune_data::TextRows::default());
        }
        Self::choose_in(&opened.dataset, &choice)
    }

    /// Chooses splits, columns and labels from an open data set.
    ///
    /// # Errors
    /// Fails if they do not fit the choice, or if the rows cannot be read.
    pub fn choose_in(dataset: &Dataset, choice: &RowChoice<'_>) -> Result<Self, Failure> {
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
        let mut skipped = Vec::new();
        let mut valid = |split: Split| {
            let name = split.name().to_owned();
            let (valid, some) = label_reading::valid_of(split, &columns, choice.skip_invalid)?;
            skipped.extend(some.map(|some| (name, some)));
            Ok::<_, Failure>(valid)
        };
        let whole_train = valid(whole_train)?;
        let test_name = match choice.test_split {
            Some(name) => Some(name.to_string()).filter(|name| !name.is_empty()),
            None => default_split(dataset, "test"),
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
            None => default_split(dataset, "validation").unwrap_or_default(),
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
        let named_validation = named_validation.map(&mut valid).transpose()?;
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
            say_notes(unused_splits(dataset, &used).as_slice());
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
        Ok(Self {
            train: whole_train,
            train_name,
            validation: named_validation,
            validation_name,
            test,
            columns,
            labels,
            by_index,
            skipped,
            texts_only,
        })
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
