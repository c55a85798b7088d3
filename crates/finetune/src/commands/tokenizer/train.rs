//! `finetune tokenizer train`: trains a tokenizer on the texts of a data set.

use std::process::ExitCode;

use finetune_data::{SPECIAL_TOKENS, TokenizerKind, TokenizerTraining};

use super::{
    output::{check_free, publish},
    texts::{self, Texts},
};
use crate::{
    cli::tokenizer_args::TokenizerTrainArguments,
    error::Failure,
    resolve::data::say_notes,
    view::{
        output::show,
        progress::count,
        shell::{program, quote, quote_path},
    },
};

/// Trains a tokenizer and saves it.
///
/// # Errors
/// Fails if the texts cannot be read, if no vocabulary can be made of them, or if the output exists or cannot
/// be written.
pub fn run(arguments: &TokenizerTrainArguments) -> Result<ExitCode, Failure> {
    let output = &arguments.output;
    check_free(output)?;
    let texts = Texts::open(&arguments.texts)?;
    let training = TokenizerTraining {
        kind: arguments.kind,
        vocab_size: arguments.vocab_size,
        lowercase: arguments.lowercase,
        skip_invalid: arguments.texts.skip_invalid,
    };
    let bar = texts.bar();
    let trained = training.train(&texts.sources, |rows| texts::show_progress(&bar, rows));
    bar.finish_and_clear();
    let trained = trained?;
    let coverage = &trained.coverage;
    texts::say_skipped(coverage);
    say_notes(&trained.notes);
    publish(output, |partial| Ok(trained.write(partial)?))?;
    let examples: String = coverage
        .examples
        .iter()
        .map(|example| {
            format!(
                "example   {}\n          {}\n",
                example.text,
                example.tokens.join(" ")
            )
        })
        .collect();
    show(&format!(
        "trained   {} tokenizer on {} texts of {} words, {} of them different\n\
         tokens    {}, {} of them special ({})\n\
         coverage  {}\n\
         {examples}\
         saved     {}\n\n\
         Next:\n  {}\n",
        arguments.kind,
        count(coverage.texts),
        count(coverage.words),
        count(coverage.different_words),
        count(trained.vocab_size as u64),
        SPECIAL_TOKENS.len(),
        SPECIAL_TOKENS.join(" "),
        texts::describe(coverage),
        output.display(),
        next(arguments, texts.has_labels),
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the command that trains an encoder with the tokenizer, on the same rows of the first data set: on
/// their labels, or on the texts alone if there are none.
fn next(arguments: &TokenizerTrainArguments, has_labels: bool) -> String {
    let texts = &arguments.texts;
    let (command, encoder) = (
        if has_labels { "train" } else { "pretrain" },
        match arguments.kind {
            TokenizerKind::Words => "lab",
            _ => "mini",
        },
    );
    let mut line = format!(
        "{} {command} --init scratch --encoder {encoder} --tokenizer {} --dataset {}",
        program(),
        quote_path(&arguments.output),
        quote(&texts.datasets[0]),
    );
    let csv = &texts.csv;
    let named = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    for (flag, value) in [
        ("dataset-config", named(&texts.hub.dataset_config)),
        ("dataset-revision", named(&texts.hub.dataset_revision)),
        (
            "train-split",
            named(&texts.split).filter(|split| split != "train"),
        ),
        ("text-column", named(&texts.columns.text_column.join(","))),
        ("csv-delimiter", csv.csv_delimiter.map(|it| it.to_string())),
        ("csv-quoting", csv.csv_quoting.map(|it| it.to_string())),
        ("csv-escape", csv.csv_escape.map(|it| it.to_string())),
        ("csv-comment", csv.csv_comment.map(|it| it.to_string())),
        ("csv-encoding", csv.csv_encoding.map(|it| it.to_string())),
    ] {
        if let Some(value) = value {
            line += &format!(" --{flag} {}", quote(&value));
        }
    }
    if texts.skip_invalid {
        line += " --skip-invalid";
    }
    line
}
