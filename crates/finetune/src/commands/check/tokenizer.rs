//! The tokenizer that counts the tokens.

use finetune_data::TextTokenizer;
use finetune_hub::{DEFAULT_MODEL, Hub};
use finetune_train::DataPlan;

use crate::{
    cli::check_args::CheckArguments,
    error::Failure,
    resolve::{data::say_notes, model, run_model},
    view::output::say,
};

/// Returns the tokenizer of the model that is named, or of the default model if that is on this machine,
/// with the length at which rows are cut.
///
/// # Errors
/// Fails if the model that is named cannot be found or has no tokenizer, or if the length leaves no room for
/// a token.
pub fn find(arguments: &CheckArguments) -> Result<Option<(TextTokenizer, usize)>, Failure> {
    let found = match &arguments.model {
        Some(name) => model::find(&run_model::resolve(name)?, arguments.revision.as_deref())?,
        None => match Hub::from_env()
            .offline(true)
            .find(DEFAULT_MODEL, None, &mut |_| {})
        {
            Ok(found) => {
                say!(
                    "note: tokens are counted by the tokenizer of {DEFAULT_MODEL}; name another model with --model"
                );
                found
            }
            Err(_) if arguments.max_length.is_some() => {
                return Err(Failure::User(
                    "--max-length counts the tokens of a model, and there is none on this machine; name one with --model".into(),
                ));
            }
            Err(_) => return Ok(None),
        },
    };
    let tokenizer = TextTokenizer::from_directory(&found.dir)?;
    say_notes(tokenizer.notes());
    let longest = tokenizer.model_max_length().unwrap_or(usize::MAX);
    let length = arguments
        .max_length
        .unwrap_or(DataPlan::default().max_length.min(longest));
    // What leaves no room for a token is refused here, before anything is read.
    tokenizer.encoder(length, arguments.columns.text_column.len() == 2)?;
    Ok(Some((tokenizer, length)))
}
