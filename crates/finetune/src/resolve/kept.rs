//! What is kept with a model, under what the user says. Where the two differ, that is said.

use std::path::Path;

use finetune_data::{Columns, CsvOptions, Split};
use finetune_hub::FoundModel;
use finetune_train::{
    DataPlan, EvaluationPlan, ModelSettings, Precision, PrecisionChoice, TrainPlan,
};

use crate::{
    error::Failure,
    resolve::model,
    view::{output::say, shell::quote},
};

/// What is kept with a model; of one that transformers saved, nothing.
pub struct Kept {
    settings: Option<ModelSettings>,
    /// The files of a model that is named as on the hub.
    found: Option<FoundModel>,
}

impl Kept {
    /// Reads it from the model's directory, which for a name of the hub is found first.
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

    /// The model's files, where they were looked for.
    pub fn found(&self) -> Option<&FoundModel> {
        self.found.as_ref()
    }

    /// The kept settings.
    pub fn settings(&self) -> Option<&ModelSettings> {
        self.settings.as_ref()
    }

    fn plan(&self) -> Option<&TrainPlan> {
        self.settings.as_ref().map(ModelSettings::kept)
    }

    /// Longest row in tokens; where nothing says it, as long as the tokenizer's files say, and no
    /// longer than others.
    pub fn max_length(&self, given: Option<usize>, by_default: usize) -> usize {
        let kept = self.plan().map(|plan| plan.data.max_length);
        note_change("--max-length", given, kept);
        given
            .or(kept)
            .unwrap_or(by_default.min(DataPlan::default().max_length))
    }

    /// In which numbers products are computed on the device of this name.
    pub fn precision(&self, given: Option<PrecisionChoice>, device: &str) -> Precision {
        let kept = self.plan().map(|plan| plan.model.precision);
        let named = given.map(|given| given.resolve(device));
        note_change("--precision", named.map(name), kept.map(name));
        let auto = || PrecisionChoice::Auto.resolve(device);
        named.or(kept).unwrap_or_else(auto)
    }

    /// Rows per batch of an evaluation.
    pub fn batch_size(&self, given: Option<usize>) -> usize {
        let kept = self.plan().map(|plan| plan.evaluation.eval_batch_size);
        given
            .or(kept)
            .unwrap_or(EvaluationPlan::default().eval_batch_size)
    }

    /// Seed of the rows drawn.
    pub fn seed(&self, given: Option<u64>) -> u64 {
        let kept = self.plan().map(|plan| plan.seed);
        given.or(kept).unwrap_or(TrainPlan::SEED)
    }

    /// Whether the model was trained on pairs of texts, where that is known.
    pub fn pairs(&self) -> Option<bool> {
        let columns = self.plan().map(|plan| plan.data.text_column.len())?;
        (columns > 0).then_some(columns == 2)
    }

    /// Whether the training took names that match none of the labels by their position.
    pub fn labels_by_position(&self) -> bool {
        self.plan().is_some_and(|plan| plan.data.labels_by_position)
    }

    /// What separates the labels of a row in one cell: as given, else as in training.
    pub fn label_separator(&self, given: Option<char>) -> Option<char> {
        given.or_else(|| self.plan()?.data.label_separator)
    }

    /// How CSV files are read: as given, else as in training.
    pub fn csv(&self, given: CsvOptions) -> CsvOptions {
        given.or(self
            .plan()
            .map(|plan| plan.data.csv.clone())
            .unwrap_or_default())
    }

    /// Whether the training left out rows without a text or a label.
    pub fn skip_invalid(&self) -> bool {
        self.plan().is_some_and(|plan| plan.data.skip_invalid)
    }

    /// The text columns of `rows`, and with `own_label` the label columns: those given, else those that
    /// the model was trained on, else `own_label`, which may be empty, else by convention.
    ///
    /// # Errors
    /// Columns that are not there; one text a row for a model of pairs.
    pub fn columns(
        &self,
        rows: &Split,
        text: &[String],
        label: &[String],
        own_label: Option<&[String]>,
    ) -> Result<Columns, Failure> {
        let is_column = |name: &String| rows.schema().field_with_name(name).is_ok();
        let kept_text = self.plan().map_or(&[][..], |plan| &plan.data.text_column);
        let use_kept = text.is_empty() && kept_text.iter().all(is_column);
        let named_text = if use_kept { kept_text } else { text };
        let kept_label = match own_label {
            None => &[][..],
            Some(_) => self.plan().map_or(&[][..], |plan| &plan.data.label_column),
        };
        let all_there = |names: &&[String]| !names.is_empty() && names.iter().all(is_column);
        let defaults = [kept_label, own_label.unwrap_or_default()];
        let named_label = match label.is_empty() {
            true => defaults.into_iter().find(all_there).unwrap_or_default(),
            false => label,
        };
        let columns = Columns::resolve(rows, named_text, named_label, own_label.is_some())?;
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

    /// That a model of single texts gets no pairs, where it is known to be one.
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

    /// That a model of pairs gets single texts from somewhere that has no columns.
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
            "the model was trained on pairs of texts, and one text is no pair; type both as --pair {example}, or give a --file with both columns"
        )))
    }
}

fn name(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "f32",
        Precision::Bf16 => "bf16",
    }
}

/// Says that what is given is not what the model was trained with.
fn note_change<T: PartialEq + std::fmt::Display>(flag: &str, given: Option<T>, kept: Option<T>) {
    if let (Some(given), Some(kept)) = (given, kept)
        && given != kept
    {
        say!("note: {flag} is {given}; the model was trained with {kept}");
    }
}
