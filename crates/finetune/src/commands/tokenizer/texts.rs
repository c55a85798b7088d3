//! The texts that a vocabulary is made from.

use std::ops::ControlFlow;

use finetune_data::{Columns, Coverage, Split};
use indicatif::ProgressBar;

use crate::{
    cli::{interrupt, tokenizer_args::TextArguments},
    error::Failure,
    resolve::{
        data::{read_options, say_notes},
        dataset::DatasetName,
    },
    view::{
        output::{printable, say},
        progress::{ROWS, bar, count},
    },
};

/// The texts of all data sets that were named.
pub struct Texts {
    /// The rows of each data set, and their text columns.
    pub sources: Vec<(Split, Columns)>,
    /// Whether `train` would find the labels of the first data set by itself.
    pub has_labels: bool,
}

impl Texts {
    /// Opens the data sets as `train` does, and finds their text columns.
    ///
    /// # Errors
    /// Fails if a data set cannot be found or read, or if it is not clear which column has the texts.
    pub fn open(arguments: &TextArguments) -> Result<Self, Failure> {
        let sources = arguments.datasets.iter();
        let sources = sources.map(|dataset| open(dataset, arguments));
        let mut sources: Vec<(Split, Columns)> = sources.collect::<Result<_, _>>()?;
        let has_labels = sources
            .first()
            .is_some_and(|(_, columns)| !columns.label.is_empty());
        for (_, columns) in &mut sources {
            columns.label.clear();
        }
        Ok(Self {
            sources,
            has_labels,
        })
    }

    /// Returns a bar for reading the rows.
    pub fn bar(&self) -> ProgressBar {
        let splits = self.sources.iter().map(|(split, _)| split);
        let bar = bar(splits.clone().map(Split::len).sum(), ROWS);
        // All are rows of the same split expression.
        let name = splits.clone().next().map_or("texts", Split::name);
        let message = format!("reading {name}");
        bar.set_message(printable(&message).into_owned());
        bar
    }
}

fn open(dataset: &str, arguments: &TextArguments) -> Result<(Split, Columns), Failure> {
    let options = read_options(arguments.csv.options());
    let name = DatasetName {
        name: dataset,
        config: &arguments.hub.dataset_config,
        revision: &arguments.hub.dataset_revision,
    };
    let opened = name.find(&options)?.open(&[&arguments.split], &options)?;
    let split = opened.dataset.split(&arguments.split);
    let split = split.map_err(|error| match error {
        finetune_data::Error::UnknownSplit { .. } => Failure::User(format!(
            "{error}; name one, or several joined by +, with --split"
        )),
        error => error.into(),
    })?;
    let flags = &arguments.columns.text_column;
    let columns = Columns::resolve(&split, flags, &[], false)?;
    say_notes(&columns.other_choices(&split, flags, &[]));
    say_notes(&opened.dataset.notes());
    Ok((split, columns))
}

/// Shows how far the reading is, and says whether it should go on.
pub fn show_progress(bar: &ProgressBar, rows: u64) -> ControlFlow<()> {
    bar.set_position(rows);
    if bar.length() == Some(rows) {
        // With many different words this takes longer than reading.
        bar.set_message("making the vocabulary");
    }
    match interrupt::requested() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

/// Prints how many texts were skipped.
pub fn say_skipped(coverage: &Coverage) {
    if coverage.skipped > 0 {
        say!("note: {} null texts are skipped", count(coverage.skipped));
    }
}

/// Describes how well a vocabulary covers texts, in one line, with the unknown words in a second one.
pub fn describe(coverage: &Coverage) -> String {
    let unknown = match coverage.unknown {
        0 => "no token is unknown".to_owned(),
        number => format!(
            "{:.2} % of the tokens are unknown ({} of {})",
            100.0 * coverage.unknown_share(),
            count(number),
            count(coverage.tokens)
        ),
    };
    let words: Vec<_> = coverage
        .unknown_words
        .iter()
        .map(|(word, _)| word.as_str())
        .collect();
    let most = match words.is_empty() {
        true => String::new(),
        false => format!("\n          most often: {}", words.join(" ")),
    };
    format!(
        "{unknown}; {:.1} tokens a text on average{most}",
        coverage.tokens_per_text()
    )
}
