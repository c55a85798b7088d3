//! Chooses the rows to evaluate, and detects rows that the model was trained on.

use std::num::NonZeroU64;

use finetune_data::{CsvOptions, Split, splits_in};
use finetune_models::Task;
use finetune_train::{DataPlan, FileFacts, ModelSettings, TrainPlan};

use crate::{
    cli::args::EvaluateArguments,
    error::Failure,
    resolve::{
        data::{read_options, say_notes},
        dataset::{DatasetName, OpenedDataset},
        draw::Draw,
        kept::Kept,
        rows::{RowChoice, Rows},
    },
    view::{output::say, progress::count},
};

/// A data set to choose rows from.
pub struct Data {
    opened: OpenedDataset,
    /// The options that its CSV files were read with.
    csv: CsvOptions,
    name: String,
}

/// The rows to evaluate.
pub struct ChosenRows {
    data: Data,
    pub whole: Split,
    /// How to draw from them.
    pub draw: Draw,
    /// The plan and rows of the training, if the rows are those that it held out.
    training: Option<(TrainPlan, Rows)>,
}

/// The rows of a data set to evaluate by default.
enum Choice {
    /// All rows of this expression.
    Expression(String),
    /// The rows that training held out: as many as it evaluated if `true`, else all.
    HeldOut(bool),
    /// As many rows of this validation split as training evaluated.
    TrainingValidation(String),
}

impl Data {
    /// Opens the named data set, or the one that the model was trained on.
    ///
    /// # Errors
    /// Fails if there is none, or if it cannot be read.
    pub fn open(arguments: &EvaluateArguments, kept: &Kept) -> Result<Self, Failure> {
        let trained_on = kept
            .settings()
            .map(|settings| &settings.kept().data.dataset);
        let Some(name) = arguments.dataset.as_ref().or(trained_on) else {
            return Err(Failure::User(
                "no data: the model does not say what it was trained on; name a file, a directory with one file per split, or a glob with --dataset".into(),
            ));
        };
        if arguments.dataset.is_none() {
            say!("note: the data set is {name}, which the model was trained on");
        }
        let is_training_data = trained_on == Some(name);
        let csv = kept.csv(arguments.csv.options());
        let options = read_options(csv.clone());
        let kept = kept
            .settings()
            .map(ModelSettings::kept)
            .filter(|_| is_training_data);
        let or_saved = |given: &str, saved: fn(&DataPlan) -> &Option<String>| match (given, kept) {
            ("", Some(kept)) => saved(&kept.data).clone().unwrap_or_default(),
            _ => given.to_string(),
        };
        let config = or_saved(&arguments.hub.dataset_config, |data| &data.dataset_config);
        let revision = or_saved(&arguments.hub.dataset_revision, |data| {
            &data.dataset_revision
        });
        let found = DatasetName {
            name,
            config: &config,
            revision: &revision,
        }
        .find(&options)?;
        let named = arguments.split.clone();
        let named =
            named.filter(|name| arguments.find_thresholds.is_none() && name != "validation");
        let splits: Vec<String> = match (named, kept) {
            (Some(expression), _) => vec![expression],
            // The choice among these needs all of them opened.
            (None, kept) => {
                let roles = ["train", "validation", "test"].into_iter();
                let training_splits = kept.into_iter().flat_map(|plan| {
                    let train = Some(plan.data.train_split.clone());
                    let validation = plan.data.validation_split.clone();
                    [train, validation, plan.data.test_split.clone()]
                });
                let training_splits = training_splits.map(Option::unwrap_or_default);
                let defaults = roles.filter_map(|role| found.default_split(role));
                defaults.chain(training_splits).collect()
            }
        };
        Ok(Self {
            opened: found.open(&splits, &options)?,
            csv,
            name: name.clone(),
        })
    }

    /// Chooses the rows that the arguments name, by default those that training evaluated at its end.
    /// `outputs` are the model's.
    ///
    /// # Errors
    /// Fails if the rows do not exist, cannot be read, or cannot be identified.
    pub fn choose(
        self,
        arguments: &EvaluateArguments,
        kept: &Kept,
        outputs: &Task,
    ) -> Result<ChosenRows, Failure> {
        let training_eval_rows = kept
            .settings()
            .and_then(|settings| settings.kept().data.eval_rows);
        let training_eval_rows = training_eval_rows.map_or(0, NonZeroU64::get);
        let mut training = None;
        let (whole, default_rows) = match self.choice(arguments, kept)? {
            Choice::Expression(expression) => (self.split(&expression)?, 0),
            Choice::TrainingValidation(expression) => {
                (self.split(&expression)?, training_eval_rows)
            }
            Choice::HeldOut(as_many) => {
                let Some(settings) = kept.settings() else {
                    return Err(Failure::Internal(
                        "held-out rows of a model without settings".into(),
                    ));
                };
                let plan = self.plan(settings, outputs);
                let rows = self.rows(&plan)?;
                say!(
                    "note: evaluating the rows of {} that training held out for validation",
                    self.name
                );
                let whole = rows.validation().clone();
                training = Some((plan, rows));
                (whole, if as_many { training_eval_rows } else { 0 })
            }
        };
        let draw = Draw {
            rows: arguments.eval_rows.unwrap_or(default_rows),
            seed: kept.seed(arguments.seed),
        };
        Ok(ChosenRows {
            data: self,
            whole,
            draw,
            training,
        })
    }

    /// Returns the rows of an expression, and prints notes about their files.
    fn split(&self, expression: &str) -> Result<Split, Failure> {
        let split = self.opened.dataset.split(expression)?;
        say_notes(&self.opened.dataset.notes());
        Ok(split)
    }

    fn choice(&self, arguments: &EvaluateArguments, kept: &Kept) -> Result<Choice, Failure> {
        let settings = kept.settings();
        let holds_out = settings.filter(|settings| settings.kept().data.validation_split.is_none());
        let has = |split: &str| self.opened.dataset.has_split(split);
        match (&arguments.split, holds_out) {
            (Some(expression), Some(settings))
                if expression == "validation" && !has(expression) =>
            {
                return match self.training_files(settings)? {
                    Files::Same => Ok(Choice::HeldOut(false)),
                    found => Err(self.cannot_hold_out(&found)),
                };
            }
            (Some(expression), _) => return Ok(Choice::Expression(expression.clone())),
            (None, _) => {}
        }
        if arguments.find_thresholds.is_some() {
            // Thresholds chosen on the test rows would overstate the model's results there.
            let training_validation = settings
                .filter(|_| self.is_training_data(settings))
                .and_then(|settings| settings.kept().data.validation_split.clone());
            return match (training_validation, holds_out) {
                (Some(expression), _) => Ok(Choice::Expression(expression)),
                (None, _) if has("validation") => Ok(Choice::Expression("validation".into())),
                (None, Some(settings)) if self.training_files(settings)? == Files::Same => {
                    Ok(Choice::HeldOut(false))
                }
                (None, _) => Err(Failure::User(format!(
                    "{} has no validation split to find thresholds on; name rows that are used neither for training nor for testing with --split",
                    self.name
                ))),
            };
        }
        if let Some(settings) = settings.filter(|_| self.is_training_data(settings)) {
            let plan = settings.kept();
            if let Some(test) = &plan.data.test_split {
                return Ok(Choice::Expression(test.clone()));
            }
            if let Some(validation) = &plan.data.validation_split {
                return Ok(Choice::TrainingValidation(validation.clone()));
            }
        }
        let mut roles = ["test", "validation"].into_iter();
        if let Some((split, note)) = roles.find_map(|role| self.opened.dataset.default_split(role))
        {
            say_notes(note.as_slice());
            return Ok(Choice::Expression(split));
        }
        match holds_out
            .map(|settings| self.training_files(settings))
            .transpose()?
        {
            Some(Files::Same) => Ok(Choice::HeldOut(true)),
            Some(Files::Changed(path)) if self.is_training_data(settings) => {
                say!(
                    "note: {path} has changed since the model was trained on it, so the rows that training held out are unknown; all rows are evaluated"
                );
                Ok(Choice::Expression("train".into()))
            }
            _ => Ok(Choice::Expression("train".into())),
        }
    }

    /// Returns whether the data set has the name of the one used in training.
    fn is_training_data(&self, settings: Option<&ModelSettings>) -> bool {
        settings.is_some_and(|settings| settings.kept().data.dataset == self.name)
    }

    /// Returns the plan by which training chose its rows, applied to this data set.
    fn plan(&self, settings: &ModelSettings, outputs: &Task) -> TrainPlan {
        let mut plan = settings.plan(outputs);
        plan.data.dataset.clone_from(&self.name);
        plan
    }

    /// Returns the rows of this data set that a plan chooses. Files are not read again if they were read with
    /// the plan's options.
    fn rows(&self, plan: &TrainPlan) -> Result<Rows, Failure> {
        let data = &plan.data;
        let splits = [
            Some(&data.train_split),
            data.validation_split.as_ref(),
            data.test_split.as_ref(),
        ];
        let names = splits.into_iter().flatten();
        let names = names.map(|name| splits_in(name));
        let names = names.collect::<Result<Vec<_>, _>>()?.concat();
        let has = |name: &String| self.opened.dataset.has_split(name);
        match data.csv == self.csv && names.iter().all(has) {
            true => Rows::choose_in(&self.name, self.opened.clone(), plan),
            false => Rows::choose(plan),
        }
    }

    /// Compares the files of this data set's training split with those used in training.
    fn training_files(&self, settings: &ModelSettings) -> Result<Files, Failure> {
        let Ok(split) = self.opened.dataset.split(&settings.kept().data.train_split) else {
            return Ok(Files::Others);
        };
        // Other files usually differ in length, so most need not be read.
        let lengths = split.files().into_iter().map(|path| {
            let length = std::fs::metadata(&path).map_or(0, |file| file.len());
            (path.display().to_string(), length)
        });
        let lengths: Vec<_> = lengths.collect();
        let same_lengths = lengths
            .iter()
            .map(|(_, length)| length)
            .eq(settings.train_files.iter().map(|file| &file.bytes));
        let changed = || match lengths.first() {
            Some((path, _)) => Files::Changed(path.clone()),
            None => Files::Others,
        };
        if settings.train_files.is_empty() || !same_lengths {
            return Ok(changed());
        }
        let hashes = split.file_hashes()?;
        let same = hashes
            .iter()
            .map(|(_, _, hash)| hash)
            .eq(settings.train_files.iter().map(|file| &file.sha256));
        Ok(if same { Files::Same } else { changed() })
    }

    fn cannot_hold_out(&self, found: &Files) -> Failure {
        let why = match found {
            Files::Changed(path) => format!("{path} has changed since"),
            _ => "this is not the data that the model was trained on".into(),
        };
        Failure::User(format!(
            "{} has no split `validation`, and the rows that training held out are unknown, because {why}; name rows of {} with --split",
            self.name,
            self.opened.dataset.split_names().join(", ")
        ))
    }
}

impl ChosenRows {
    /// Returns whether the data set has the name of the one used in the model's training.
    pub fn is_training_data(&self, kept: &Kept) -> bool {
        self.data.is_training_data(kept.settings())
    }

    /// Prints a note if the model was trained on rows that are evaluated.
    ///
    /// # Errors
    /// Fails if the rows cannot be read.
    pub fn note_training_rows(
        &self,
        model: &str,
        kept: &Kept,
        outputs: &Task,
        rows: &Split,
    ) -> Result<(), Failure> {
        let Some(settings) = kept.settings() else {
            return Ok(());
        };
        if !shares_files(&settings.train_files, rows)? {
            return Ok(());
        }
        let plan = self.data.plan(settings, outputs);
        let is_same =
            |held_out: &&(TrainPlan, Rows)| RowChoice::from(&held_out.0) == (&plan).into();
        let drawn = match self.training.as_ref().filter(is_same) {
            Some((_, train)) => Some(train.drawn_train()?),
            None => match self.data.training_files(settings)? {
                Files::Same => {
                    let train = self.data.rows(&plan).ok();
                    train.map(|train| train.drawn_train()).transpose()?
                }
                _ => None,
            },
        };
        let Some(drawn) = drawn else {
            say!(
                "note: {model} was trained on rows of a file that is evaluated here, possibly on these rows, which would overstate its results"
            );
            return Ok(());
        };
        let shared = drawn.rows_in_common(rows)?;
        if shared > 0 {
            say!(
                "note: {model} was trained on {} of these {} rows, which overstates its results",
                count(shared),
                count(rows.len())
            );
        }
        Ok(())
    }
}

/// How the files of a training split compare with those that the model was trained on.
#[derive(PartialEq, Eq)]
enum Files {
    /// The same files.
    Same,
    /// Different files; the path of the first one.
    Changed(String),
    /// The split does not exist.
    Others,
}

/// Returns whether rows come from a file that the model was trained on.
fn shares_files(trained: &[FileFacts], rows: &Split) -> Result<bool, Failure> {
    if trained.is_empty() {
        return Ok(false);
    }
    let hashes = rows.file_hashes()?;
    Ok(hashes
        .iter()
        .any(|(_, _, hash)| trained.iter().any(|file| file.sha256 == *hash)))
}
