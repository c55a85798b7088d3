//! The options of `train`, `pretrain` and `distill`, which share their names: which of them belong to which
//! command.

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
    /// A teacher's labels, beside those of the rows: `distill`.
    Teacher,
}

/// Options about labels, and others that `pretrain` does not take.
const OF_TRAIN: [&str; 13] = [
    "label_column",
    "labels",
    "labels_by_position",
    "problem_type",
    "label_separator",
    "label_smoothing_factor",
    "class_weights",
    "reset_head",
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

/// Options that only `distill` takes.
const OF_DISTILL: [&str; 7] = [
    "teacher",
    "student_layers",
    "temperature",
    "soft_weight",
    "hard_weight",
    "cosine_weight",
    "attention_weight",
];

/// Options that `distill` does not take.
const NOT_OF_DISTILL: [&str; 7] = [
    "mlm_probability",
    "masking",
    "line_by_line",
    "adapt_epochs",
    "adapt_learning_rate",
    "auto_find_batch_size",
    "adapter",
];

/// Returns whether a command never takes an option.
pub fn is_foreign(option: &str, command: TrainsOn) -> bool {
    match command {
        TrainsOn::Labels => OF_DISTILL.contains(&option),
        TrainsOn::Texts => OF_TRAIN.contains(&option) || OF_DISTILL.contains(&option),
        TrainsOn::Teacher => NOT_OF_DISTILL.contains(&option),
    }
}

/// Refuses options that the command does not take.
///
/// # Errors
/// Fails if one is given, or the one that makes the command what it is is not; the message says when an
/// option has an effect.
pub fn check(options: &TrainOptions, command: TrainsOn) -> Result<(), Failure> {
    let given = Table::try_from(options).map_err(|error| Failure::Internal(error.to_string()))?;
    let names = || given.keys().map(String::as_str);
    let refuse = |problem: String| Err(Failure::User(problem));
    if command != TrainsOn::Teacher
        && let Some(option) = names().find(|option| OF_DISTILL.contains(option))
    {
        return refuse(format!(
            "{option} is about learning from a teacher, which `finetune distill` does; leave it out"
        ));
    }
    let without_masks = command == TrainsOn::Labels && options.adapt_epochs.is_none();
    if without_masks && let Some(option) = names().find(|option| OF_MASKS.contains(option)) {
        return refuse(format!(
            "{option} is about masked language modelling, which `finetune pretrain` does, and `finetune train` with --adapt-epochs; leave it out"
        ));
    }
    let foreign = names().find(|option| is_foreign(option, command));
    match (command, foreign) {
        (TrainsOn::Teacher, None) if options.teacher.is_none() => refuse(
            "distill needs a trained model to learn from; name one with --teacher, such as a run of `finetune train`".into(),
        ),
        (_, None) => Ok(()),
        (TrainsOn::Teacher, Some(option)) => refuse(format!(
            "{option} is not an option of `finetune distill`; leave it out"
        )),
        (_, Some(option)) => refuse(format!(
            "{option} is an option of `finetune train`; pretraining reads texts without labels, so leave it out"
        )),
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

/// What some options mean in `distill`.
const DISTILL_HELP: [(&str, &str); 4] = [
    (
        "model",
        "Student: a directory or a name on the hub [default: layers of the teacher]",
    ),
    (
        "unlabelled",
        "A further data set, of texts to learn from with the teacher's labels alone",
    ),
    (
        "init",
        "Where the student's weights come from: pretrained (a model, or layers of the teacher), or scratch for new ones, with an encoder [default: pretrained]",
    ),
    (
        "tokenizer",
        "Directory with the tokenizer of an encoder that is trained from scratch [default: the teacher's]",
    ),
];

/// Gives an option its own help text in a command, if it has one.
pub fn described(option: Arg, command: TrainsOn) -> Arg {
    let texts: &[(&str, &str)] = match command {
        TrainsOn::Labels => &[],
        TrainsOn::Texts => &HELP,
        TrainsOn::Teacher => &DISTILL_HELP,
    };
    let own = texts.iter().find(|(name, _)| option.get_id() == *name);
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
        let teacher = TrainOptions {
            teacher: Some("model".into()),
            ..TrainOptions::default()
        };
        check(&teacher, TrainsOn::Teacher).unwrap();
        let error = check(&teacher, TrainsOn::Labels).unwrap_err().to_string();
        assert!(error.contains("finetune distill"), "{error}");
        let none = TrainOptions::default();
        let error = check(&none, TrainsOn::Teacher).unwrap_err().to_string();
        assert!(error.contains("--teacher"), "{error}");
        let both = TrainOptions {
            adapt_epochs: Some(1.0),
            ..teacher
        };
        check(&both, TrainsOn::Teacher).unwrap_err();
    }

    #[test]
    fn all_are_options() {
        let command = crate::cli::args::command();
        let train = command.find_subcommand("train").unwrap();
        let names: Vec<_> = train
            .get_arguments()
            .map(|option| option.get_id().as_str())
            .collect();
        let lists = [&OF_TRAIN[..], &OF_MASKS, &OF_DISTILL, &NOT_OF_DISTILL];
        for option in lists.concat() {
            assert!(names.contains(&option), "{option}");
        }
        for (option, _) in HELP.into_iter().chain(DISTILL_HELP) {
            assert!(names.contains(&option), "{option}");
        }
    }
}
