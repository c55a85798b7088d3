//! `finetune tokenizer`: trains and extends vocabularies.

mod extend;
mod output;
mod texts;
mod train;

use std::process::ExitCode;

use crate::{
    cli::tokenizer_args::{TokenizerArguments, TokenizerCommand},
    error::Failure,
};

/// Runs the command.
///
/// # Errors
/// Fails if the texts cannot be read, or if the vocabulary cannot be made of them or written.
pub fn run(arguments: &TokenizerArguments) -> Result<ExitCode, Failure> {
    match &arguments.command {
        TokenizerCommand::Train(arguments) => train::run(arguments),
        TokenizerCommand::Extend(arguments) => extend::run(arguments),
    }
}
