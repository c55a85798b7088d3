//! `finetune`: arguments to plan to engine to report.

mod args;
mod batch_size;
mod class_checks;
mod comparison;
mod data;
mod dataset;
mod download;
mod draw;
mod error;
mod evaluate;
mod execute;
mod find_batch_size;
mod inspect;
mod interrupt;
mod intervals;
mod kept;
mod label_reading;
mod machine;
mod manifest;
mod memory;
mod memory_estimate;
mod merge;
mod model;
mod next;
mod output;
mod panics;
mod paths;
mod plan;
mod predict;
mod predictions;
mod progress;
mod python_names;
mod replay;
mod report;
mod resume;
mod rows;
mod run_comparison;
mod run_model;
mod run_time;
mod settings;
mod shell;
mod special_files;
mod summary;
mod supervise;
mod terminal;
mod train;
mod train_options;

use std::{process::ExitCode, time::Instant};

use crate::{
    args::{Arguments, Command},
    output::say,
};

fn main() -> ExitCode {
    panics::guard(program)
}

fn program() -> ExitCode {
    let started = Instant::now();
    let arguments = match python_names::translated(std::env::args_os().collect()) {
        Ok(arguments) => Arguments::read(arguments),
        Err(error) => {
            say!("{error}");
            return error.exit_code();
        }
    };
    let result = match arguments.command {
        Command::Train(arguments) => train::run(*arguments),
        Command::Resume(arguments) => resume::run(&arguments),
        Command::TrialStep => find_batch_size::trial(),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Evaluate(arguments) => evaluate::run(&arguments),
        Command::Predict(arguments) => predict::run(&arguments, started),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Merge(arguments) => merge::run(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            let message = error.to_string();
            if !message.is_empty() {
                say!("{message}");
            }
            error.exit_code()
        }
    }
}
