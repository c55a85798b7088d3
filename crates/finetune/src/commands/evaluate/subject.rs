//! Evaluates one model on the chosen rows.

use burn::tensor::Device;
use finetune_data::{
    Columns, Inferred, MatchRule, NameList, NameNotes, NamesOf, ProblemType, Split,
    TokenizedDataset, match_names,
};
use finetune_infer::{Accumulator, Classifier, InferError, evaluate, evaluation_order};
use finetune_metrics::RowScores;
use finetune_models::Task;

use super::chosen_rows::ChosenRows;
use crate::{
    cli::{args::EvaluateArguments, interrupt},
    error::Failure,
    resolve::{
        class_checks,
        data::{describe, say_notes},
        draw::tokenize_drawn,
        kept::Kept,
        label_reading, model,
    },
    view::{output::say, progress::evaluation_bar},
};

/// A model to evaluate.
pub struct Subject {
    /// The name that the user gave.
    pub name: String,
    pub classifier: Classifier,
    pub kept: Kept,
}

/// A model that was evaluated.
pub struct Evaluated {
    /// The name that the user gave.
    pub name: String,
    /// The model's task.
    pub problem_type: ProblemType,
    /// The accumulated metrics.
    pub all: Accumulator,
    /// The rows.
    pub data: TokenizedDataset,
    /// Row number of each prediction.
    order: Vec<u64>,
}

impl Subject {
    /// Loads a model.
    ///
    /// # Errors
    /// Fails if the model cannot be loaded.
    pub fn load(
        name: &str,
        kept: Kept,
        arguments: &EvaluateArguments,
        device: &Device,
    ) -> Result<Self, Failure> {
        let mut classifier = model::classifier(name, kept.found(), &arguments.open, device)?;
        classifier.set_precision(kept.precision(arguments.precision, &arguments.device)?);
        Ok(Self {
            name: name.into(),
            classifier,
            kept,
        })
    }

    /// Returns the model's task and the names of its outputs.
    pub fn outputs(&self) -> &Task {
        self.classifier.outputs()
    }

    /// Returns the columns of the rows. The default label columns of a model with several outputs are those
    /// named like its outputs, if all exist.
    fn columns(
        &self,
        arguments: &EvaluateArguments,
        rows: &ChosenRows,
    ) -> Result<Columns, Failure> {
        let outputs = match self.outputs() {
            Task::Classes(_) => &[],
            Task::MultiLabel(names) | Task::Regression(names) => names.as_slice(),
        };
        let default_label = columns_of(outputs, &rows.whole).unwrap_or_default();
        let (text, label) = (&arguments.columns.text_column, &arguments.label_column);
        let mut columns = self
            .kept
            .columns(&rows.whole, text, label, Some(&default_label))?;
        columns.cells.separator = self.kept.label_separator(arguments.label_separator);
        let by_position = arguments.labels_by_position
            || (self.kept.labels_by_position() && rows.is_training_data(&self.kept));
        Ok(columns.by_position(by_position))
    }

    /// Reads the labels as the model's: of its task, with its names in its order.
    fn labels(&self, rows: &Split, columns: &Columns) -> Result<Inferred, Failure> {
        let problem_type = self.outputs().problem_type();
        let outputs = self.outputs();
        let names = (!outputs.is_single_number()).then(|| outputs.names());
        let inferred = Inferred::of(&[rows], columns, names, Some(problem_type))?;
        let name_notes =
            NameNotes::new(&inferred.task, &[rows], &inferred.columns, NamesOf::Model)?;
        say_notes(&inferred.notes);
        say_notes(&name_notes.notes);
        Ok(inferred)
    }

    /// Evaluates the model on `rows`.
    ///
    /// # Errors
    /// Fails if the rows cannot be read or do not fit the model, or after a signal.
    pub fn evaluate(
        self,
        arguments: &EvaluateArguments,
        rows: &ChosenRows,
    ) -> Result<Evaluated, Failure> {
        interrupt::at_once(true);
        let columns = self.columns(arguments, rows)?;
        let skip_invalid = arguments.skip_invalid
            || (self.kept.skip_invalid() && rows.is_training_data(&self.kept));
        let whole = &label_reading::valid(rows.whole.clone(), &columns, skip_invalid)?;
        let Inferred {
            task: labels,
            columns,
            ..
        } = self.labels(whole, &columns)?;
        let model = self.classifier.model();
        let longest = model.config().longest_sequence();
        let model_default = self.classifier.default_max_length();
        let max_length = self.kept.max_length(arguments.max_length, model_default);
        let max_length = max_length.min(longest);
        let tokenizer = self.classifier.tokenizer();
        interrupt::at_once(false);
        let draw = rows.draw;
        let data = tokenize_drawn(whole, draw, &columns, &labels, tokenizer, max_length)?;
        say!("data    {}: {}", whole.name(), describe(&data));
        let counts = data.class_counts().unwrap_or_default();
        if let Some(note) = class_checks::averages_of(labels.class_names(), &counts, "evaluated") {
            say!("note: {note}");
        }
        rows.note_training_rows(&self.name, &self.kept, self.outputs(), data.split())?;
        let bar = evaluation_bar("rows", data.len());
        let progress = |rows| {
            bar.set_position(rows);
            match interrupt::requested() {
                true => Err(InferError::Interrupted),
                false => Ok(()),
            }
        };
        let batch_size = self.kept.batch_size(arguments.batch_size);
        let all = evaluate(model, &data, "rows", batch_size, progress);
        bar.finish_and_clear();
        let all = all?;
        Ok(Evaluated {
            problem_type: model.config().outputs.problem_type(),
            name: self.name,
            all,
            order: evaluation_order(&data, batch_size)?,
            data,
        })
    }
}

/// Returns the columns named like these outputs, if each has one.
fn columns_of(outputs: &[String], rows: &Split) -> Option<Vec<String>> {
    let fields = rows.schema().fields().iter();
    let columns: Vec<String> = fields.map(|field| field.name().clone()).collect();
    let list = |names| NameList { whose: "", names };
    let matched = match_names(list(outputs), list(&columns), false).ok()?;
    if !matches!(matched.rule, MatchRule::Exact | MatchRule::IgnoringCase) {
        return None;
    }
    let column = |index: &Option<usize>| Some(columns[(*index)?].clone());
    matched.indices.iter().map(column).collect()
}

impl Evaluated {
    /// Returns the row number, among the evaluated rows, of a prediction.
    pub fn row(&self, prediction: usize) -> u64 {
        self.order.get(prediction).copied().unwrap_or_default()
    }

    /// Returns the target and prediction of each row, in the order of the rows.
    ///
    /// # Errors
    /// Fails if the scores cannot be computed, which is a bug.
    pub fn row_scores(&self) -> Result<RowScores, Failure> {
        let thresholds = self.all.as_labels().map_or(&[][..], |all| all.thresholds());
        let scores = RowScores::new(&self.all.predictions(), thresholds, &self.order);
        scores.map_err(|error| Failure::Internal(error.to_string()))
    }
}
