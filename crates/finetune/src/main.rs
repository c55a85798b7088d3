//! The `finetune` program: parses the command line and runs the command.

mod cli;
mod commands;
mod error;
mod resolve;
mod view;

use std::{process::ExitCode, time::Instant};

use crate::{
    cli::{
        args::{Arguments, Command},
        panics, python_names,
    },
    commands::{
        check, compare, devices, evaluate, explain, fill_mask, find_batch_size, inspect, merge,
        plan, predict, replay, report, resume, supervise, sweep, tokenizer, train,
    },
    view::output::say,
};

fn main() -> ExitCode {
    panics::guard(program)
}

fn program() -> ExitCode {
    let started = Instant::now();
    supervise::end_with_a_runner();
    let arguments = match python_names::translated(std::env::args_os().collect()) {
        Ok(arguments) => Arguments::read(arguments),
        Err(error) => {
            say!("{error}");
            return error.exit_code();
        }
    };
    let result = match arguments.command {
        Command::Train(arguments) => train::run(*arguments),
        Command::Pretrain(arguments) => train::pretrain(*arguments),
        Command::Distill(arguments) => train::distill(*arguments),
        Command::Resume(arguments) => resume::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Probe => plan::probing::answer(),
        Command::TrialStep => find_batch_size::trial(),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Evaluate(arguments) => evaluate::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Sweep(arguments) => sweep::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Predict(arguments) => predict::run(&arguments, started),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::FillMask(arguments) => fill_mask::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Devices(arguments) => devices::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Merge(arguments) => merge::run(&arguments),
        Command::Tokenizer(arguments) => tokenizer::run(&arguments),
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
