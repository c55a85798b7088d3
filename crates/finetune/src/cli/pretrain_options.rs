//! The options of `train` and `pretrain`, which share their names: which of them belong to which command.

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
const OF_TRAIN: [&str; 9] = [
    "label_column",
    "labels",
    "labels_by_position",
    "problem_type",
    "label_separator",
    "label_smoothing_factor",
    "class_weights",
    "adapter",
    "auto_find_batch_size",
];

/// Options about masks, which `train` does not take.
const OF_PRETRAIN: [&str; 3] = ["mlm_probability", "masking", "line_by_line"];

/// Returns whether a command does not take an option.
pub fn is_foreign(option: &str, command: TrainsOn) -> bool {
    match command {
        TrainsOn::Labels => OF_PRETRAIN.contains(&option),
        TrainsOn::Texts => OF_TRAIN.contains(&option),
    }
}

/// Refuses options that the command does not take.
///
/// # Errors
/// Fails if one is given; the message says which command takes it.
pub fn check(options: &TrainOptions, command: TrainsOn) -> Result<(), Failure> {
    let given = Table::try_from(options).map_err(|error| Failure::Internal(error.to_string()))?;
    let Some(option) = given.keys().find(|option| is_foreign(option, command)) else {
        return Ok(());
    };
    Err(Failure::User(match command {
        TrainsOn::Labels => format!(
            "{option} is an option of `finetune pretrain`, which masks tokens; leave it out"
        ),
        TrainsOn::Texts => format!(
            "{option} is an option of `finetune train`; pretraining reads texts without labels, so leave it out"
        ),
    }))
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
        for option in OF_TRAIN.iter().chain(&OF_PRETRAIN) {
            assert!(names.contains(option), "{option}");
        }
    }
}
