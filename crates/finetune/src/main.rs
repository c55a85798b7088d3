//! `finetune`: arguments to plan to engine to report.

mod args;
mod data;
mod error;
mod evaluate;
mod interrupt;
mod memory;
mod model;
mod panics;
mod paths;
mod predict;
mod predictions;
mod progress;
mod summary;
mod train;
mod train_options;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Arguments, Command};

// Training allocates and frees large buffers all the time, from several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    panics::guard(program)
}

fn program() -> ExitCode {
    // Wrong arguments end here: clap explains them and exits with 2.
    let result = match Arguments::parse().command {
        Command::Train(arguments) => train::run(*arguments),
        Command::Evaluate(arguments) => evaluate::run(&arguments),
        Command::Predict(arguments) => predict::run(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            error.exit_code()
        }
    }
}
