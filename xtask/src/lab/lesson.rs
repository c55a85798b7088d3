//! What is compared, as command lines of `finetune`.

use std::path::Path;

use super::arguments::Settings;
use crate::workspace;

/// What each seed does, in the order in which it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lesson {
    /// Training on the news, from scratch.
    Pretraining,
    /// Training on the reviews, from scratch.
    Scratch,
    /// The encoder of the pretraining on the reviews, everything trained.
    Full,
    /// The same with a new head alone.
    Head,
    /// The same with the second feed-forward layer of every block, and the head.
    SecondLayers,
}

impl Lesson {
    /// All lessons.
    pub(super) const ALL: [Self; 5] = [
        Self::Pretraining,
        Self::Scratch,
        Self::Full,
        Self::Head,
        Self::SecondLayers,
    ];

    /// The beginning of the names of its runs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pretraining => "news",
            Self::Scratch => "scratch",
            Self::Full => "full",
            Self::Head => "head",
            Self::SecondLayers => "linear2",
        }
    }

    /// What the table calls it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Pretraining => "pretraining, on the news",
            Self::Scratch => "from scratch",
            Self::Full => "pretrained, then everything",
            Self::Head => "pretrained, then the head",
            Self::SecondLayers => "pretrained, then the second feed-forward layers and the head",
        }
    }

    /// The name of its run with this seed.
    pub(super) fn run(self, seed: u32) -> String {
        format!("{}-{seed}", self.name())
    }

    /// The arguments of `finetune` that train it into a folder.
    pub(super) fn arguments(self, settings: &Settings, folder: &Path, seed: u32) -> Vec<String> {
        let inside = |name: &str| workspace::display(&folder.join(name));
        let words = inside(WORDS);
        let news = inside(&Self::Pretraining.run(seed));
        let scratch = [
            "--init",
            "scratch",
            "--encoder",
            "lab",
            "--tokenizer",
            &words,
        ];
        let carried = ["--model", &news, "--reset-head"];
        let (data, start, strategy) = match self {
            Self::Pretraining => (&settings.news, &scratch[..], None),
            Self::Scratch => (&settings.reviews, &scratch[..], None),
            Self::Full => (&settings.reviews, &carried[..], Some("full")),
            Self::Head => (&settings.reviews, &carried[..], Some("head")),
            Self::SecondLayers => (&settings.reviews, &carried[..], Some("params:linear2|head")),
        };
        let rate = match self {
            Self::Head => settings.head_learning_rate,
            _ => settings.learning_rate,
        };
        let mut arguments: Vec<String> = vec!["train".into()];
        arguments.extend(start.iter().map(|&word| word.to_owned()));
        if let Some(strategy) = strategy {
            arguments.extend(["--strategy".into(), strategy.to_owned()]);
        }
        for (flag, value) in [
            ("--dataset", data.clone()),
            ("--epochs", settings.epochs.to_string()),
            ("--batch-size", settings.batch_size.to_string()),
            ("--max-length", settings.max_length.to_string()),
            ("--learning-rate", rate.to_string()),
            // A checkpoint has the optimizer's state of all words.
            ("--save-total-limit", "1".to_owned()),
            ("--seed", seed.to_string()),
            ("--output", inside(&self.run(seed))),
        ] {
            arguments.extend([flag.to_owned(), value]);
        }
        arguments
    }
}

/// The folder of the vocabulary.
pub(super) const WORDS: &str = "words";

/// The arguments of `finetune` that make one vocabulary of the training texts of both data sets.
pub(super) fn vocabulary(settings: &Settings, folder: &Path) -> Vec<String> {
    let size = settings.vocab_size.to_string();
    let output = workspace::display(&folder.join(WORDS));
    [
        "tokenizer",
        "train",
        &settings.news,
        &settings.reviews,
        "--kind",
        "words",
        "--vocab-size",
        &size,
        "--lowercase",
        "--output",
        &output,
    ]
    .map(str::to_owned)
    .to_vec()
}
