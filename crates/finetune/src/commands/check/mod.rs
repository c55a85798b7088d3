//! `finetune check`: looks for what is wrong with a data set before training.

mod output;
mod tokenizer;

use std::process::ExitCode;

use finetune_check::{Checked, CheckedSplit, Data, Options, Report, Role, Suggestion, Watch, page};
use finetune_data::{Split, Task};

use crate::{
    cli::{check_args::CheckArguments, interrupt},
    error::Failure,
    resolve::{auto_strategy, whole_splits::WholeSplits},
    view::{
        check::text,
        output::{print_json, say, show},
        progress::{ROWS, bar},
    },
};

/// The exit code if rows of one split are among those of another.
const LEAKS: u8 = 1;

/// Checks a data set, and returns 1 if rows of one split are among those of another.
///
/// # Errors
/// Fails if the data cannot be read, or if something that is asked for cannot be written.
pub fn run(arguments: &CheckArguments) -> Result<ExitCode, Failure> {
    output::check_free(arguments)?;
    interrupt::listen()?;
    let whole = WholeSplits::open(&arguments.rows())?;
    let splits = splits(&whole);
    let tokenizer = tokenizer::find(arguments)?;
    let data = Data {
        name: arguments.name(),
        splits: &splits,
        columns: &whole.columns,
        task: Some(&whole.labels).filter(|_| !whole.texts_only),
        tokenizer: tokenizer
            .as_ref()
            .map(|(tokenizer, length)| (tokenizer, *length)),
    };
    let options = Options {
        similarity: arguments.similarity,
        mislabelled: !arguments.no_mislabelled,
        probabilities: arguments.probabilities.clone(),
    };
    let bar = bar(splits.iter().map(|split| split.split.len()).sum(), ROWS);
    bar.set_message("reading");
    let watch = Watch {
        rows: &mut |rows| {
            bar.set_position(rows);
            if bar.length() == Some(rows) {
                bar.set_message("comparing");
            }
        },
        stopped: &interrupt::requested,
    };
    let checked = Checked::new(&data, &options, watch);
    bar.finish_and_clear();
    let checked = checked?;
    let report = completed(checked.report().clone(), &whole, tokenizer.is_none());
    let written = output::write(arguments, &checked, &page(&report))?;
    match arguments.json {
        true => print_json(output::json(&report, &written)?)?,
        false => show(&(text(&report) + &output::described(arguments, &written)))?,
    }
    Ok(match report.has_leaks {
        true => ExitCode::from(LEAKS),
        false => ExitCode::SUCCESS,
    })
}

/// Lists the splits that there are.
fn splits(whole: &WholeSplits) -> Vec<CheckedSplit> {
    let splits: [(Role, Option<(&Split, &str)>); 3] = [
        (Role::Train, Some((&whole.train, &whole.train_name))),
        (
            Role::Validation,
            whole
                .validation
                .as_ref()
                .zip(whole.validation_name.as_deref()),
        ),
        (
            Role::Test,
            whole
                .test
                .as_ref()
                .map(|(split, name)| (split, name.as_str())),
        ),
    ];
    let there = splits
        .into_iter()
        .filter_map(|(role, split)| Some((role, split?)));
    there
        .map(|(role, (split, name))| {
            let skipped = whole.skipped.iter().find(|(of, _)| of == name);
            CheckedSplit {
                role,
                split: split.clone(),
                incomplete: skipped.map(|(_, skipped)| skipped.clone()),
            }
        })
        .collect()
}

/// Adds to a report what only the program knows: the strategy that `auto` would choose, and why tokens were
/// not counted.
fn completed(mut report: Report, whole: &WholeSplits, without_tokens: bool) -> Report {
    if without_tokens {
        report.not_checked.push(
            "truncation, unknown tokens and the length of rows: there is no tokenizer; name a model with --model".into(),
        );
    }
    if whole.texts_only {
        report.not_checked.push("labels: there are none".into());
        return report;
    }
    let counts = report.splits.first().map(|split| split.classes.clone());
    if let (Task::Classes(names), false, Some(counts)) =
        (&whole.labels, whole.columns.is_pair(), counts)
    {
        let (flag, reason) = auto_strategy::suggested(&counts, names);
        // Pairs of texts have no weights of classes.
        if flag.contains("contrastive") {
            report
                .suggestions
                .retain(|other| !other.flag.starts_with("--class-weights"));
        }
        report.suggestions.insert(0, Suggestion { flag, reason });
    }
    if !report.has_leaks && report.splits.len() == 1 {
        say!(
            "note: there is one split, so that no leaks between splits were looked for; training holds out a share of it"
        );
    }
    report
}
