//! `cargo xtask bench`: compares finetune with PyTorch on this machine in alternating runs, with
//! medians and ratios. It is a separate crate, so that `cargo xtask train` does not compile it.

mod arguments;
mod data;
mod event_log;
mod flat;
mod interrupt;
mod machine;
mod markdown;
mod operations;
mod predict_run;
mod prediction;
mod process;
mod quiet;
mod results;
mod start;
mod statistics;
mod store;
mod targets;
mod terminal;
mod timeline;
mod train_run;
mod training;
mod workbench;

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};

use clap::Parser;

use arguments::{Arguments, Job};
use results::JobResult;
use store::{Results, Store};
use workbench::Workbench;

use xtask::workspace;

#[derive(Parser)]
#[command(name = "cargo xtask bench", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    arguments: Arguments,
}

fn main() -> ExitCode {
    let Cli { arguments } = Cli::parse();
    match interrupt::listen().and_then(|()| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if let Some(code) = interrupt::exit_code() => {
            eprintln!("interrupted; the results of jobs that were finished are kept");
            ExitCode::from(code)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the requested jobs. The files are written after each of them, so that finished results are kept
/// if a later job fails or is interrupted.
///
/// # Errors
/// Fails if something cannot be built, installed, run or written.
fn run(arguments: &Arguments) -> Result<()> {
    let folder = arguments.output.clone();
    let folder = folder.unwrap_or_else(|| workspace::root().join("benches"));
    let mut store = Store::open(&folder)?;
    let bench = Workbench::new(arguments)?;
    let mut measured = Results::default();
    for job in arguments.jobs() {
        let mut result =
            measure(&bench, job).with_context(|| format!("in the job `{}`", job.name()))?;
        result.notes.extend(bench.disturbance());
        store.keep(job, result.clone())?;
        if !arguments.json {
            print(&terminal::text(&result))?;
        }
        measured.set(job, result);
    }
    if arguments.json {
        print(&format!("{}\n", serde_json::to_string_pretty(&measured)?))?;
    }
    let page = workspace::display(&folder.join("README.md"));
    eprintln!("wrote {page} and results.json beside it");
    Ok(())
}

fn measure(bench: &Workbench, job: Job) -> Result<JobResult> {
    match job {
        Job::Full | Job::Lora | Job::Head | Job::Minilm => training::run(bench, job),
        Job::Start => start::run(bench),
        Job::Predict => prediction::run(bench),
        Job::Flat => flat::run(bench),
        Job::Operations => operations::run(bench),
    }
}

/// Prints to standard output; a closed pipe is an error, not a panic.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("cannot write to standard output")
}
