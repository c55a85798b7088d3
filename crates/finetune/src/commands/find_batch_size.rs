//! `--auto-find-batch-size`: finds the largest batch whose step fits into memory.
//!
//! A step that does not fit aborts, panics in a driver, or is killed by the system. So each size is
//! tried in a separate process.

use std::{path::PathBuf, process::ExitCode};

use finetune_train::{TrainPlan, batch_sizes, device, peak_memory_bytes, trial_step};
use serde::{Deserialize, Serialize};

use crate::{
    commands::{
        memory,
        question::{ask, asked, cannot_ask},
    },
    error::Failure,
    resolve::loaded::Loaded,
    view::output::say,
};

/// The command of the other process.
const COMMAND: &str = "trial-step";
/// Share of the free memory that a step may take.
const SHARE: f64 = 0.9;

/// The step that the other process tries.
#[derive(Serialize, Deserialize)]
struct Trial {
    plan: TrainPlan,
    base: PathBuf,
    length: usize,
}

/// Returns the plan with the largest batch size that fits, and as many accumulation steps as keep the
/// number of rows per step.
///
/// # Errors
/// Fails if not even one row fits, or if no process can be started.
pub fn find_batch_size(plan: TrainPlan, loaded: &Loaded) -> Result<TrainPlan, Failure> {
    let longest = loaded.data.train.lengths().max;
    let optimization = &plan.optimization;
    let sizes = batch_sizes(
        optimization.batch_rows(longest),
        optimization.gradient_accumulation_steps,
    );
    for (batch_size, gradient_accumulation_steps) in sizes {
        let trial = Trial {
            plan: TrainPlan {
                optimization: optimization.with_batches(batch_size, gradient_accumulation_steps),
                ..plan.clone()
            },
            base: loaded.files.dir.clone(),
            length: longest,
        };
        let problem = attempt(&trial)?;
        let rows = format!("{batch_size} rows of up to {longest} tokens");
        match problem {
            None => {
                say!("batch   {rows} × {gradient_accumulation_steps} per step");
                return Ok(trial.plan);
            }
            Some(problem) => say!("batch   {rows} do not fit into memory: {problem}"),
        }
    }
    Err(Failure::User(format!(
        "not even one row of {longest} tokens fits into memory; use a smaller --max-length, --strategy lora or head, or a smaller model"
    )))
}

/// Tries a step in another process, and returns the problem if it failed.
fn attempt(trial: &Trial) -> Result<Option<String>, Failure> {
    let free = memory::available_bytes();
    let child = ask(COMMAND, trial)?;
    let output = child
        .wait_with_output()
        .map_err(|error| cannot_ask(COMMAND, &error))?;
    if !output.status.success() {
        return Ok(Some(output.status.to_string()));
    }
    let peak: Option<u64> = String::from_utf8_lossy(&output.stdout).trim().parse().ok();
    let (Some(peak), Some(free)) = (peak, free) else {
        return Ok(None);
    };
    let too_much = peak as f64 > SHARE * free as f64;
    Ok(too_much.then(|| {
        let gigabytes = |bytes: u64| bytes as f64 / 1e9;
        format!("{:.2} GB of {:.2} GB", gigabytes(peak), gigabytes(free))
    }))
}

/// Takes the step in the other process, and prints its peak memory.
///
/// # Errors
/// Fails if the trial cannot be read or its step fails.
pub fn trial() -> Result<ExitCode, Failure> {
    let trial: Trial = asked(COMMAND)?;
    let device = device(&trial.plan.model.device)?;
    trial_step(&trial.plan, &trial.base, trial.length, &device)?;
    println!("{}", peak_memory_bytes().unwrap_or(0));
    Ok(ExitCode::SUCCESS)
}
