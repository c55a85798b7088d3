//! `finetune tokenizer extend`: adds words of a domain to a model's vocabulary.

use std::{path::Path, process::ExitCode};

use finetune_data::ExtendedTokenizer;
use finetune_models::{NewRow, extend_vocabulary};
use finetune_peft::ADAPTER_CONFIG;
use finetune_train::{ModelSettings, device};

use super::{
    output::{check_free, publish},
    texts::{self, Texts},
};
use crate::{
    cli::tokenizer_args::TokenizerExtendArguments,
    error::Failure,
    resolve::{
        data::say_notes,
        model::{self, Verification},
        run_model,
    },
    view::{output::show, progress::count},
};

/// The number of new words that are listed.
const LISTED: usize = 12;

/// Adds words to a model's vocabulary and saves the model.
///
/// # Errors
/// Fails if the model or the texts cannot be read, if there is no word to add, or if the output exists or
/// cannot be written.
pub fn run(arguments: &TokenizerExtendArguments) -> Result<ExitCode, Failure> {
    let output = &arguments.output;
    check_free(output)?;
    let name = run_model::resolve(&arguments.model)?;
    if Path::new(&name).join(ADAPTER_CONFIG).exists() {
        return Err(Failure::User(format!(
            "{name} is an adapter, which has no word table of its own; extend its base model, or merge the two first"
        )));
    }
    let files = model::find(&name, arguments.revision.as_deref())?;
    let verification = Verification::begin(&files)?;
    let texts = Texts::open(&arguments.texts)?;
    let bar = texts.bar();
    let extended = ExtendedTokenizer::new(
        &files.dir,
        &texts.sources,
        arguments.add.get(),
        arguments.texts.skip_invalid,
        |rows| texts::show_progress(&bar, rows),
    );
    bar.finish_and_clear();
    verification.wait()?;
    let extended = extended?;
    texts::say_skipped(&extended.before);
    say_notes(&extended.notes);
    let tokens = extended.tokens.iter();
    let rows: Vec<_> = tokens
        .map(|token| NewRow {
            id: token.id as usize,
            pieces: token.pieces.iter().map(|piece| *piece as usize).collect(),
        })
        .collect();
    let device = device("cpu")?;
    publish(output, |partial| {
        extended.write(partial)?;
        if let Some(settings) = ModelSettings::read(&files.dir)? {
            settings.write(partial)?;
        }
        Ok(extend_vocabulary(&files.dir, partial, &rows, &device)?)
    })?;
    let words: Vec<_> = extended.words.iter().take(LISTED).collect();
    let more = match extended.words.len() - words.len() {
        0 => String::new(),
        more => format!(", … {more} more"),
    };
    let words: Vec<_> = words
        .iter()
        .map(|(word, occurs)| format!("{word} ({})", count(*occurs)))
        .collect();
    show(&format!(
        "added   {} tokens for {} words: {}{more}\n\
         before  {}\n\
         after   {}\n\
         saved   {}\n",
        count(rows.len() as u64),
        count(extended.words.len() as u64),
        words.join(", "),
        texts::describe(&extended.before),
        texts::describe(&extended.after),
        output.display(),
    ))?;
    Ok(ExitCode::SUCCESS)
}
