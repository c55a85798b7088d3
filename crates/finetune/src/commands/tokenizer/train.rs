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
         Next:\n  {} train --init scratch --encoder {} --tokenizer {} --dataset {}\n",
        arguments.kind,
        count(coverage.texts),
        count(coverage.words),
        count(coverage.different_words),
        count(trained.vocab_size as u64),
        SPECIAL_TOKENS.len(),
        SPECIAL_TOKENS.join(" "),
        texts::describe(coverage),
        output.display(),
        program(),
        match arguments.kind {
            TokenizerKind::Words => "lab",
            _ => "mini",
        },
        quote_path(output),
        quote(&arguments.texts.datasets[0]),
    ))?;
    Ok(ExitCode::SUCCESS)
}
