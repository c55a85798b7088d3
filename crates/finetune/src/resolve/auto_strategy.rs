//! `--strategy auto`: chooses a strategy, and the number of epochs, by the task and the number of labelled
//! rows. The limits come from the measurements in docs/strategies.md.

use std::borrow::Cow;

use finetune_data::Task;
use finetune_models::ModelConfig;
use finetune_train::{DistillationPlan, PretrainingPlan, Strategy};

use crate::{
    cli::train_options::{InitialWeights, TrainOptions},
    error::Failure,
    resolve::rows::Rows,
    view::{output::say, progress::count},
};

/// The name of the choice. It is not a strategy of a plan, which has the one that was chosen.
const AUTO: &str = "auto";

/// Largest number of training rows of each class, on average, for which pairs of texts are compared.
const MOST_FOR_PAIRS: u64 = 64;

/// Passes of strategy `full` over the rows, for up to this number of rows. More have the default.
const EPOCHS: [(u64, f64); 3] = [(64, 20.0), (256, 10.0), (512, 5.0)];

/// The options of a run, in which a strategy stands in place of `auto`.
pub struct Chosen<'a> {
    given: &'a TrainOptions,
    options: Cow<'a, TrainOptions>,
    choice: Option<Choice>,
    /// Number of training rows; 0 if it does not matter.
    rows: u64,
}

/// Returns the flags for what `auto` would choose for single texts with this number of rows of each class,
/// and why.
pub fn suggested(counts: &[u64], names: &[String]) -> (String, String) {
    let choice = Choice::by_count(counts, names);
    let epochs = choice.epochs.map(|epochs| format!(" --epochs {epochs}"));
    let flags = format!(
        "--strategy {}{}",
        choice.strategy,
        epochs.unwrap_or_default()
    );
    (flags, choice.why)
}

/// What `auto` chose.
#[derive(Debug, PartialEq)]
struct Choice {
    strategy: Strategy,
    /// Passes over the rows; `None` for the strategy's default.
    epochs: Option<f64>,
    why: String,
    /// What else one can type, and what it does.
    instead: &'static str,
}

impl<'a> Chosen<'a> {
    /// Chooses by the training rows if the strategy is `auto`, and otherwise returns the options as they
    /// are.
    ///
    /// # Errors
    /// Fails if the rows have no labels, or cannot be read.
    pub fn new(options: &'a TrainOptions, rows: &Rows) -> Result<Self, Failure> {
        let mut chosen = Self {
            given: options,
            options: Cow::Borrowed(options),
            choice: None,
            rows: 0,
        };
        if options.strategy.as_deref() != Some(AUTO) {
            return Ok(chosen);
        }
        if let Some(adapter) = &options.adapter {
            return Err(Failure::User(format!(
                "{adapter} is an adapter, which goes on with its own strategy, so that auto has nothing to choose; leave it out"
            )));
        }
        if rows.texts_only {
            return Err(Failure::User(format!(
                "strategy auto chooses by the number of labelled rows, and pretraining has none; leave it out, or name a strategy: {}",
                PretrainingPlan::STRATEGIES
            )));
        }
        if options.teacher.is_some() {
            return Err(Failure::User(format!(
                "strategy auto chooses between single texts and pairs of them, and a student learns from single ones; leave it out, or name a strategy: {}",
                DistillationPlan::STRATEGIES
            )));
        }
        let drawn = rows.drawn_train()?;
        chosen.rows = drawn.len();
        let choice = match without_pairs(options, rows) {
            Some(why) => Choice::full(chosen.rows, why),
            None => {
                let counts = drawn.class_counts(&rows.columns, &rows.labels)?;
                Choice::by_count(&counts, rows.labels.class_names())
            }
        };
        chosen.take(choice);
        Ok(chosen)
    }

    fn take(&mut self, choice: Choice) {
        let mut options = self.given.clone();
        options.strategy = Some(choice.strategy.to_string());
        if options.epochs.is_none() && options.max_steps.unwrap_or_default() == 0 {
            options.epochs = choice.epochs;
        }
        self.options = Cow::Owned(options);
        self.choice = Some(choice);
    }

    /// Returns the options with the strategy.
    pub fn options(&self) -> &TrainOptions {
        &self.options
    }

    /// Chooses again if the model cannot do what was chosen, and returns whether it did.
    pub fn fit(&mut self, model: &ModelConfig) -> bool {
        let by_pairs =
            matches!(&self.choice, Some(choice) if choice.strategy == Strategy::Contrastive);
        let fits = model.embedding_size == model.hidden_size;
        if !by_pairs || fits {
            return false;
        }
        let why = format!(
            "contrastive needs embeddings as wide as the hidden states, and this {} model has {} and {}",
            model.family.model_type, model.embedding_size, model.hidden_size
        );
        self.take(Choice::full(self.rows, why));
        true
    }

    /// Says what was chosen and why, if anything was.
    pub fn say(&self) {
        if let Some(choice) = &self.choice {
            say!("note: {}", choice.note(self.options.epochs));
        }
    }
}

impl Choice {
    /// Chooses by the number of rows of each class.
    fn by_count(counts: &[u64], names: &[String]) -> Self {
        let rows: u64 = counts.iter().sum();
        // Classes without a row are not learned.
        let classes = counts.iter().filter(|count| **count > 0).count().max(1) as u64;
        let mean = match rows.is_multiple_of(classes) {
            true => count(rows / classes),
            false => format!("{:.1}", rows as f64 / classes as f64),
        };
        let each = format!(
            "{} training rows are {mean} of each class on average",
            count(rows)
        );
        let mut named = counts.iter().zip(names);
        if let Some((_, name)) = named.find(|(count, _)| **count == 1) {
            let why = format!("class `{name}` has a single training row, which has no pair");
            return Self::full(rows, why);
        }
        if rows <= MOST_FOR_PAIRS * classes {
            return Self {
                strategy: Strategy::Contrastive,
                epochs: None,
                why: format!(
                    "{each}, and up to {MOST_FOR_PAIRS} of each class are compared in pairs"
                ),
                instead: "--strategy full learns from single texts",
            };
        }
        Self {
            instead: "--strategy contrastive compares pairs",
            ..Self::full(
                rows,
                format!(
                    "{each}, and more than {MOST_FOR_PAIRS} of each class are not compared in pairs"
                ),
            )
        }
    }

    fn full(rows: u64, why: String) -> Self {
        let epochs = EPOCHS.iter().find(|(most, _)| rows <= *most);
        Self {
            strategy: Strategy::Full,
            epochs: epochs.map(|(_, epochs)| *epochs),
            why,
            instead: "--strategy lora, or another, trains less",
        }
    }

    /// Describes the choice; `epochs` are those of the run, if they are not the strategy's default.
    fn note(&self, epochs: Option<f64>) -> String {
        let Self {
            strategy,
            why,
            instead,
            ..
        } = self;
        let few = match epochs.filter(|_| epochs == self.epochs) {
            Some(epochs) => format!(" in {epochs} epochs, since the rows are few"),
            None => String::new(),
        };
        let or = match few.is_empty() {
            true => "",
            false => ", and --epochs sets the passes",
        };
        format!("strategy auto is {strategy}{few}: {why}; {instead}{or}")
    }
}

/// Says why these rows cannot be learned from in pairs with these options, if they cannot.
fn without_pairs(options: &TrainOptions, rows: &Rows) -> Option<String> {
    if !matches!(rows.labels, Task::Classes(_)) {
        let task = rows.labels.problem_type();
        return Some(format!(
            "the task is {task}, in which texts are not compared by class"
        ));
    }
    if rows.columns.is_pair() {
        return Some("each row has two texts, and contrastive compares single ones".into());
    }
    if options.init == Some(InitialWeights::Scratch) {
        return Some("the weights are new, and contrastive is for pretrained ones".into());
    }
    let above_0 = |value: Option<f64>| value.is_some_and(|value| value > 0.0);
    let given = [
        (
            "batch_tokens",
            options.batch_tokens.is_some_and(|tokens| tokens > 0),
        ),
        (
            "length_buckets",
            options.length_buckets.is_some_and(|batches| batches > 0),
        ),
        (
            "label_smoothing_factor",
            above_0(options.label_smoothing_factor),
        ),
        ("class_weights", options.class_weights.is_some()),
        ("ema_decay", above_0(options.ema_decay)),
        ("head_learning_rate", options.head_learning_rate.is_some()),
        ("feature_cache", options.feature_cache.is_some()),
    ];
    let (key, _) = given.into_iter().find(|(_, given)| *given)?;
    Some(format!(
        "{key} is set, which has no meaning for pairs of texts"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(counts: &[u64]) -> Choice {
        let names: Vec<_> = (0..counts.len()).map(|class| format!("c{class}")).collect();
        Choice::by_count(counts, &names)
    }

    #[test]
    fn the_mean_of_the_classes_that_have_rows_decides() {
        for (counts, expected) in [
            (&[64, 64][..], Strategy::Contrastive),
            (&[65, 64], Strategy::Full),
            (&[126, 2], Strategy::Contrastive),
            (&[64, 64, 64], Strategy::Contrastive),
            // A class without rows makes the others no smaller.
            (&[65, 65, 0], Strategy::Full),
            (&[9, 9, 0], Strategy::Contrastive),
        ] {
            assert_eq!(chosen(counts).strategy, expected, "{counts:?}");
        }
        let just_above = chosen(&[65, 64]).why;
        assert!(
            just_above.contains("are 64.5 of each class"),
            "{just_above}"
        );
        for few in [9, 199] {
            assert_eq!(chosen(&[few, 1]).strategy, Strategy::Full);
            assert!(!chosen(&[few, 1]).instead.contains("contrastive"));
        }
        let single = chosen(&[9, 1]);
        assert_eq!(single.strategy, Strategy::Full);
        assert!(single.why.contains("class `c1`"), "{}", single.why);
    }

    #[test]
    fn fewer_rows_are_passed_more_often() {
        for (rows, epochs) in [
            (2, Some(20.0)),
            (64, Some(20.0)),
            (65, Some(10.0)),
            (512, Some(5.0)),
            (513, None),
        ] {
            assert_eq!(Choice::full(rows, String::new()).epochs, epochs, "{rows}");
        }
    }

    #[test]
    fn epochs_are_named_only_if_they_were_chosen() {
        let few = chosen(&[9, 1]);
        let note = few.note(few.epochs);
        assert!(
            note.contains("full in 20 epochs") && note.contains("--epochs"),
            "{note}"
        );
        let note = few.note(Some(3.0));
        assert!(!note.contains("epochs"), "{note}");
        let many = chosen(&[1000, 1000]);
        let note = many.note(None);
        assert!(!note.contains("epochs"), "{note}");
        assert!(
            note.contains("2,000 training rows are 1,000 of each class"),
            "{note}"
        );
    }
}
