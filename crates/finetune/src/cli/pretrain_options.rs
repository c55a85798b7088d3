//! The options of `train` and `pretrain`, which share their names: which of them belong to which command.

use clap::Arg;
use toml::Table;

use crate::{cli::train_options::TrainOptions, error::Failure};

/// What a command trains on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrainsOn {
    /// Rows with labels: `train`.
    Labels,
    /// Texts alone: `pretrain`.
    Texts,
}

/// Options about labels, and others that `pretrain` does not take.
const OF_TRAIN: [&str; 12] = [
    "label_column",
    "labels",
    "labels_by_position",
    "problem_type",
    "label_separator",
    "label_smoothing_factor",
    "class_weights",
    "adapter",
    "auto_find_batch_size",
    "adapt_epochs",
    "unlabelled",
    "adapt_learning_rate",
];

/// Options about masked language modelling, which `train` takes only with `adapt_epochs`.
const OF_MASKS: [&str; 5] = [
    "mlm_probability",
    "masking",
    "line_by_line",
    "unlabelled",
    "adapt_learning_rate",
];

/// Returns whether a command never takes an option.
pub fn is_foreign(option: &str, command: TrainsOn) -> bool {
    command == TrainsOn::Texts && OF_TRAIN.contains(&option)
}

/// Refuses options that the command does not take.
///
/// # Errors
/// Fails if one is given; the message says when it has an effect.
pub fn check(options: &TrainOptions, command: TrainsOn) -> Result<(), Failure> {
    let given = Table::try_from(options).map_err(|error| Failure::Internal(error.to_string()))?;
    let mut names = given.keys().map(String::as_str);
    let without_masks = command == TrainsOn::Labels && options.adapt_epochs.is_none();
    let refused = match without_masks {
        true => names.find(|option| OF_MASKS.contains(option)),
        false => names.find(|option| is_foreign(option, command)),
    };
    match refused {
        None => Ok(()),
        Some(option) if without_masks => Err(Failure::User(format!(
            "{option} is about masked language modelling, which `finetune pretrain` does, and `finetune train` with --adapt-epochs; leave it out"
        ))),
        Some(option) => Err(Failure::User(format!(
            "{option} is an option of `finetune train`; pretraining reads texts without labels, so leave it out"
        ))),
    }
}

/// What some options mean in `pretrain`, where that differs from `train`.
const HELP: [(&str, &str); 6] = [
    (
        "model",
        "Model to go on with: a directory or a name on the hub",
    ),
    (
        "validation_fraction",
        "Share of the training texts to hold out for validation if there is no validation split",
    ),
    (
        "text_column",
        "Text column; of two (a,b) each text counts for itself [default: by convention: text, sentence, sentence1 and sentence2, …]",
    ),
    (
        "skip_invalid",
        "Skip rows without a text, and report how many",
    ),
    (
        "strategy",
        "What to train: full (everything), head (that of masked tokens), last:N, layers:N,N, params:REGEX, gradual or bitfit",
    ),
    (
        "max_length",
        "Maximum length of a window in tokens; longer texts are cut into several",
    ),
];

/// Gives an option of `pretrain` its own help text, if it has one.
pub fn described(option: Arg) -> Arg {
    let own = HELP.iter().find(|(name, _)| option.get_id() == *name);
    match own {
        Some((_, help)) => option.help(*help),
        None => option,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_the_other_command_are_refused() {
        let masks = TrainOptions {
            mlm_probability: Some(0.2),
            ..TrainOptions::default()
        };
        check(&masks, TrainsOn::Texts).unwrap();
        let error = check(&masks, TrainsOn::Labels).unwrap_err().to_string();
        assert!(error.contains("mlm_probability"), "{error}");
        let adapting = TrainOptions {
            adapt_epochs: Some(1.0),
            ..masks
        };
        check(&adapting, TrainsOn::Labels).unwrap();
        check(&adapting, TrainsOn::Texts).unwrap_err();
        let labels = TrainOptions {
            label_column: vec!["stars".into()],
            ..TrainOptions::default()
        };
        check(&labels, TrainsOn::Labels).unwrap();
        let error = check(&labels, TrainsOn::Texts).unwrap_err().to_string();
        assert!(error.contains("label_column"), "{error}");
    }

    #[test]
    fn all_are_options() {
        let command = crate::cli::args::command();
        let train = command.find_subcommand("train").unwrap();
        let names: Vec<_> = train
            .get_arguments()
            .map(|option| option.get_id().as_str())
            .collect();
        for option in OF_TRAIN.iter().chain(&OF_MASKS) {
            assert!(names.contains(option), "{option}");
        }
        for (option, _) in HELP {
            assert!(names.contains(&option), "{option}");
        }
    }
}
