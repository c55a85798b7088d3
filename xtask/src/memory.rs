//! `cargo xtask memory`: checks the peak memory of training against limits.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{binary, fixtures, table};

/// Strategies with their memory limits in bytes. PyTorch took 2.46 GB for `full` and 1.94 GB for
/// LoRA.
const LIMITS: [(&str, u64); 4] = [
    ("full", 1_500_000_000),
    ("lora", 700_000_000),
    ("head", 500_000_000),
    ("last:2", 700_000_000),
];

/// Trains a model of DistilBERT's size for a few steps of 16 rows of 48 tokens with each strategy,
/// in separate processes, and prints how much memory and time each took.
///
/// # Errors
/// Fails if a run fails or exceeds its limit.
pub fn memory() -> Result<()> {
    let model = fixtures::distilbert_random()?;
    let program = binary::build("finetune", &[])?;
    let mut rows = vec![
        ["strategy", "peak", "limit", "samples/s"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut above = Vec::new();
    for (strategy, limit) in LIMITS {
        let results = train(&program, &model, strategy)?;
        let peak = results["peak_memory_bytes"]
            .as_u64()
            .context("this system does not tell how much memory a process takes")?;
        if peak > limit {
            above.push(strategy);
        }
        let megabytes = |bytes: u64| format!("{} MB", bytes / 1_000_000);
        let speed = results["train"]["samples_per_second"].as_f64();
        rows.push(vec![
            strategy.to_owned(),
            megabytes(peak),
            megabytes(limit),
            format!("{:.1}", speed.unwrap_or_default()),
        ]);
    }
    println!("{}", table::format(&rows));
    ensure!(above.is_empty(), "above the limit: {}", above.join(", "));
    Ok(())
}

/// Performs a short run and returns its results.
fn train(program: &Path, model: &Path, strategy: &str) -> Result<Value> {
    let folder = tempdir()?;
    let arguments = "--max-steps 8 --train-rows 128 --eval-rows 32 --batch-size 16 --json";
    let output = Command::new(program)
        .arg("train")
        .args(["--strategy", strategy])
        .arg("--model")
        .arg(model)
        .arg("--dataset")
        .arg(model.join("texts.csv"))
        .arg("--output")
        .arg(folder.join(strategy.replace(':', "-")))
        .args(arguments.split(' '))
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    std::fs::remove_dir_all(&folder).ok();
    ensure!(output.status.success(), "strategy {strategy} failed");
    serde_json::from_slice(&output.stdout).context("the results are not JSON")
}

/// Creates a folder for this process's runs, which are removed afterwards.
fn tempdir() -> Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("finetune-memory-{}", std::process::id()));
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}
