//! `finetune explain`: shows which words of a text speak for its prediction, and which against it.

use std::{
    io::{IsTerminal, stdout},
    process::ExitCode,
};

use finetune_infer::{Explaining, InferError, Precision, device};
use finetune_task::Task;

use crate::{
    cli::{explain_args::ExplainArguments, interrupt},
    commands::predict::source::{Given, Source},
    error::Failure,
    resolve::{kept::Kept, model, run_model},
    view::{
        explanation::{coloured, json, plain},
        output::{print, print_json, say, show},
    },
};

/// Explains the predictions for texts.
///
/// # Errors
/// Fails if options are invalid, if model or texts cannot be read, or if a typed text has no words.
pub fn run(arguments: &ExplainArguments) -> Result<ExitCode, Failure> {
    interrupt::listen()?;
    interrupt::at_once(true);
    let device = device(&arguments.device)?;
    let name = run_model::resolve(&arguments.model)?;
    let kept = Kept::read(&name, arguments.open.revision.as_deref())?;
    let given = Given {
        texts: &arguments.texts,
        pair: &arguments.pair,
        file: arguments.file.as_deref(),
        columns: &arguments.columns,
        csv: &arguments.csv,
    };
    let source = Source::open(&given, &kept, false)?;
    let mut classifier = model::classifier(&name, kept.found(), &arguments.open, &device)?;
    // The gradients of many points are added up, and so are their errors.
    classifier.set_precision(Precision::F32);
    let max_length = kept.max_length(arguments.max_length, classifier.default_max_length());
    let encoder = classifier.encoder(max_length, source.pairs)?;
    let explaining = Explaining {
        class: arguments.class.clone(),
        baseline: arguments.baseline,
        steps: arguments.steps.map(|steps| steps as usize),
    };
    let is_numeric = matches!(classifier.outputs(), Task::Regression(_));
    let is_typed = !(arguments.texts.is_empty() && arguments.pair.is_empty());
    let mut without_words = 0u64;
    for (number, row) in (1u64..).zip(source.rows) {
        let Some(texts) = row?.texts else {
            without_words += 1;
            continue;
        };
        let (first, second) = (&texts.0, texts.1.as_deref());
        let explained = classifier.explain(first, second, &encoder, &explaining);
        let explanation = match explained {
            Err(InferError::NothingToExplain) if !is_typed => {
                without_words += 1;
                continue;
            }
            Err(error @ InferError::UnknownOutput { .. }) => {
                return Err(
                    Failure::from(error).with_message(|problem| format!("--class: {problem}"))
                );
            }
            Err(error @ InferError::NoBaseline { .. }) => {
                let named = |problem| format!("--baseline: {problem}");
                return Err(Failure::from(error).with_message(named));
            }
            other => other.map_err(|error| {
                Failure::from(error).with_message(|problem| format!("text {number}: {problem}"))
            })?,
        };
        if let Some(tokens) = explanation.truncated {
            say!(
                "note: text {number} is truncated to {tokens} tokens, which are all that the model reads here"
            );
        }
        match arguments.json {
            true => print_json(json(&texts, &explanation))?,
            false if stdout().is_terminal() && console::colors_enabled() => {
                print(&coloured(&texts, &explanation, is_numeric))?;
            }
            false => show(&plain(&texts, &explanation, is_numeric))?,
        }
    }
    if without_words > 0 {
        say!(
            "note: {without_words} {} no words, so there is nothing to explain",
            if without_words == 1 {
                "text has"
            } else {
                "texts have"
            }
        );
    }
    Ok(ExitCode::SUCCESS)
}
