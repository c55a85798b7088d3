//! The training settings saved with a model, which serve as defaults. A note says where the user's
//! options differ from them.

use std::path::Path;

use finetune_data::{Columns, CsvOptions, Split};
use finetune_hub::FoundModel;
use finetune_train::{
    DataPlan, EvaluationPlan, ModelSettings, Precision, PrecisionChoice, TrainPlan,
    check_precision, precision_name,
};

use crate::{
    error::Failure,
    resolve::model,
    view::{output::say, shell::quote},
};

/// The settings saved with a model; a model saved by transformers has none.
pub struct Kept {
    settings: Option<ModelSettings>,
    /// The files of a model that is named by its name on the hub.
    found: Option<FoundModel>,
}

impl Kept {
    /// Reads the settings from the model's directory. A name on the hub is found first.
    ///
    /// # Errors
    /// Fails if the model cannot be found, or if its settings are damaged.
    pub fn read(name: &str, revision: Option<&str>) -> Result<Self, Failure> {
        let found = match Path::new(name).is_dir() {
            true => None,
            false => Some(model::find(name, revision)?),
        };
        let directory = found
            .as_ref()
            .map_or(Path::new(name), |found| found.dir.as_path());
        Ok(Self {
            settings: ModelSettings::read(directory)?,
            found,
        })
    }

    /// Returns the files of a model from the hub.
    pub fn found(&self) -> Option<&FoundModel> {
        self.found.as_ref()
    }

    /// Returns the saved settings.
    pub fn settings(&self) -> Option<&ModelSettings> {
        self.settings.as_ref()
    }

    fn plan(&self) -> Option<&TrainPlan> {
        self.settings.as_ref().map(ModelSettings::kept)
    }

    /// Returns the maximum row length in tokens: as given, else as in training, else the smaller of the
    /// model's `model_default` and the default of training.
    pub fn max_length(&self, given: Option<usize>, model_default: usize) -> usize {
        let kept = self.plan().map(|plan| plan.data.max_length);
        note_change("--max-length", given, kept);
        given
            .or(kept)
            .unwrap_or(model_default.min(DataPlan::default().max_length))
    }

    /// Returns the precision of matrix multiplications on the device of this name: as given, else as in training,
    /// with f32 in place of what the device lacks.
    ///
    /// # Errors
    /// Fails if the device does not compute in the given precision.
    pub fn precision(
        &self,
        given: Option<PrecisionChoice>,
        device: &str,
    ) -> Result<Precision, Failure> {
        let kept = self.plan().map(|plan| plan.model.precision);
        let given = given.map(|given| given.resolve(device)).transpose()?;
        let name = precision_name;
        note_change("--precision", given.map(name), kept.map(name));
        let kept = kept.map(|kept| match check_precision(kept, device) {
            Ok(()) => kept,
            Err(_) => Precision::F32,
        });
        let auto = || PrecisionChoice::auto(device);
        Ok(given.or(kept).unwrap_or_else(auto))
    }

    /// Returns the number of rows per evaluation batch.
    pub fn batch_size(&self, given: Option<usize>) -> usize {
        let kept = self.plan().map(|plan| plan.evaluation.eval_batch_size);
        given
            .or(kept)
            .unwrap_or(EvaluationPlan::default().eval_batch_size)
    }

    /// Returns the seed for drawing rows.
    pub fn seed(&self, given: Option<u64>) -> u64 {
        let kept = self.plan().map(|plan| plan.seed);
        given.or(kept).unwrap_or(TrainPlan::SEED)
    }

    /// Returns whether the model was trained on pairs of texts, if that is known.
    pub fn pairs(&self) -> Option<bool> {
        let columns = self.plan().map(|plan| plan.data.text_column.len())?;
        (columns > 0).then_some(columns == 2)
    }

    /// Returns whether training matched names that match none of the labels by position.
    pub fn labels_by_position(&self) -> bool {
        self.plan().is_some_and(|plan| plan.data.labels_by_position)
    }

    /// Returns the separator of labels in one cell: as given, else as in training.
    pub fn label_separator(&self, given: Option<char>) -> Option<char> {
        given.or_else(|| self.plan()?.data.label_separator)
    }

    /// Returns the options of CSV files: as given, else as in training.
    pub fn csv(&self, given: CsvOptions) -> CsvOptions {
        given.or(self
            .plan()
            .map(|plan| plan.data.csv.clone())
            .unwrap_or_default())
    }

    /// Returns whether training skipped rows without a text or a label.
    pub fn skip_invalid(&self) -> bool {
        self.plan().is_some_and(|plan| plan.data.skip_invalid)
    }

    /// Returns the text columns of `rows`, and the label columns if `default_label` is given: as given,
    /// else as in training, else `default_label`, which may be empty, else by convention.
    ///
    /// # Errors
    /// Fails if a column is missing, or if rows have a single text and the model expects pairs.
    pub fn columns(
        &self,
        rows: &Split,
        text: &[String],
        label: &[String],
        default_label: Option<&[String]>,
    ) -> Result<Columns, Failure> {
        let is_column = |name: &String| rows.schema().field_with_name(name).is_ok();
        let kept_text = self.plan().map_or(&[][..], |plan| &plan.data.text_column);
        let use_kept = text.is_empty() && kept_text.iter().all(is_column);
        let named_text = if use_kept { kept_text } else { text };
        let kept_label = match default_label {
            None => &[][..],
            Some(_) => self.plan().map_or(&[][..], |plan| &plan.data.label_column),
        };
        let all_exist = |names: &&[String]| !names.is_empty() && names.iter().all(is_column);
        let defaults = [kept_label, default_label.unwrap_or_default()];
        let named_label = match label.is_empty() {
            true => defaults.into_iter().find(all_exist).unwrap_or_default(),
            false => label,
        };
        let columns = Columns::resolve(rows, named_text, named_label, default_label.is_some())?;
        self.check_pair(&columns)?;
        for (flag, kept, found) in [
            ("text", kept_text, &columns.text),
            ("label", kept_label, &columns.label),
        ] {
            if !kept.is_empty() && kept != found.as_slice() {
                say!(
                    "note: {flag} is read from {}; the model was trained on {}",
                    found.join(", "),
                    kept.join(", ")
                );
            }
        }
        Ok(columns)
    }

    fn check_pair(&self, columns: &Columns) -> Result<(), Failure> {
        match (self.pairs(), self.plan()) {
            (Some(true), Some(plan)) if !columns.is_pair() => Err(Failure::User(format!(
                "the model was trained on pairs of texts (columns {}), but only `{}` is read here; name two columns: --text-column FIRST,SECOND",
                plan.data.text_column.join(", "),
                columns.text.join(", ")
            ))),
            _ => Ok(()),
        }
    }

    /// Checks that a model of single texts, if it is known to be one, is not given pairs.
    ///
    /// # Errors
    /// Fails with advice if the model was trained on single texts.
    pub fn check_pairs(&self, first: &str, second: &str) -> Result<(), Failure> {
        match self.pairs() {
            Some(false) => Err(Failure::User(format!(
                "the model was trained on single texts, and --pair is for models of pairs; type texts as {} {}",
                quote(first),
                quote(second)
            ))),
            _ => Ok(()),
        }
    }

    /// Checks that a model of pairs is not given single texts from a source without columns.
    ///
    /// # Errors
    /// Fails with advice if the model was trained on pairs.
    pub fn check_single_texts(&self, typed: &[String]) -> Result<(), Failure> {
        if self.pairs() != Some(true) {
            return Ok(());
        }
        let example = match typed {
            [first, second, ..] => format!("{} {}", quote(first), quote(second)),
            [only] => format!("{} \"the second text\"", quote(only)),
            [] => "\"the first text\" \"the second text\"".into(),
        };
        Err(Failure::User(format!(
            "the model was trained on pairs of texts, but a single text was given; type both as --pair {example}, or use a --file with both columns"
        )))
    }
}

/// Prints a note if a given value differs from the one that the model was trained with.
fn note_change<T: PartialEq + std::fmt::Display>(flag: &str, given: Option<T>, kept: Option<T>) {
    if let (Some(given), Some(kept)) = (given, kept)
        && given != kept
    {
        say!("note: {flag} is {given}; the model was trained with {kept}");
    }
}
