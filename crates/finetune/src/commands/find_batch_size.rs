//! `--auto-find-batch-size`: finds the largest batch whose step fits into memory.
//!
//! A step that does not fit aborts, panics in a driver, or is killed by the system. So each size is
//! tried in a separate process, which the system is told to kill first.

use std::{
    io::{Read, Write},
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
};

use finetune_train::{TrainPlan, batch_sizes, device, peak_memory_bytes, trial_step};
use serde::{Deserialize, Serialize};

use crate::{commands::memory, error::Failure, resolve::loaded::Loaded, view::output::say};

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
    let internal = |error: std::io::Error| {
        Failure::Internal(format!(
            "cannot try a batch size in a separate process: {error}"
        ))
    };
    let text = serde_json::to_vec(trial).map_err(|error| internal(error.into()))?;
    let program = std::env::current_exe().map_err(internal)?;
    let free = memory::available_bytes();
    let mut child = Command::new(program)
        .arg("trial-step")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(internal)?;
    if let Some(mut input) = child.stdin.take() {
        // If the child has already died, its status says so.
        let _ = input.write_all(&text);
    }
    let output = child.wait_with_output().map_err(internal)?;
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
    // Only Linux has this file, and only Linux kills processes for their memory.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let mut text = Vec::new();
    let internal = |error: String| Failure::Internal(format!("trial-step: {error}"));
    let read = std::io::stdin().read_to_end(&mut text);
    read.map_err(|error| internal(error.to_string()))?;
    let trial: Trial =
        serde_json::from_slice(&text).map_err(|error| internal(error.to_string()))?;
    let device = device(&trial.plan.model.device)?;
    trial_step(&trial.plan, &trial.base, trial.length, &device)?;
    println!("{}", peak_memory_bytes().unwrap_or(0));
    Ok(ExitCode::SUCCESS)
}
