//! `cargo xtask gpu-check`: the kernels of GPUs compared with the CPU's, and the speed of training beside
//! PyTorch's on the same GPU.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::{Value, json};

use crate::{binary, fixtures, table, workspace};

/// Time after which no measurement begins. Builds come before it.
const TIME: Duration = Duration::from_secs(8 * 60);

/// Rows per batch.
const BATCHES: [usize; 2] = [16, 128];

/// Steps that fill caches and compile kernels, and those that are measured.
const STEPS: [usize; 2] = [32, 60];

/// Our contestants: name, strategy and precision.
const OURS: [(&str, &str, &str); 4] = [
    ("ours, f32", "full", "f32"),
    ("ours, tf32", "full", "tf32"),
    ("ours, bf16", "full", "bf16"),
    ("ours, LoRA, bf16", "lora", "bf16"),
];

/// PyTorch's: name, and its name in `benches/peer/gpu.py`.
const THEIRS: [(&str, &str); 3] = [
    ("PyTorch eager, tf32", "tf32"),
    ("PyTorch eager, autocast to bf16", "autocast"),
    ("PyTorch compiled, bf16 weights", "compiled"),
];

/// Compare the kernels of GPUs with the CPU's, and measure training on an NVIDIA GPU beside PyTorch
///
/// With an NVIDIA GPU the kernels are those of CUDA, and 8 minutes of measurements follow; elsewhere they are
/// those of wgpu, for which a software driver such as llvmpipe will do, and nothing is measured.
#[derive(Args)]
pub struct Arguments {
    /// Model of DistilBERT's size with `texts.csv`, as `cargo xtask model distilbert-random` makes it [default:
    /// one made here]
    #[arg(long)]
    pub model: Option<PathBuf>,
    /// Python with torch and transformers
    #[arg(long, default_value = "python3")]
    pub python: PathBuf,
}

/// Runs the tests of the kernels, and then the measurements, which are printed as a table.
///
/// # Errors
/// Fails if a test or one of our runs fails, or if the model cannot be made.
pub fn gpu_check(arguments: &Arguments) -> Result<()> {
    let Some(gpu) = nvidia_gpu() else {
        test_kernels("wgpu")?;
        println!(
            "left out: the kernels on CUDA and all measurements, since `nvidia-smi` finds no NVIDIA GPU here"
        );
        return Ok(());
    };
    println!("GPU: {gpu}");
    test_kernels("cuda")?;
    let program = binary::build("finetune", &["cuda"])?;
    let model = match &arguments.model {
        Some(model) => model.clone(),
        None => fixtures::distilbert_random()?,
    };
    let folder = std::env::temp_dir().join(format!("finetune-gpu-check-{}", std::process::id()));
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let measured = measure(arguments, &program, &model, &folder);
    fs::remove_dir_all(&folder).ok();
    println!("\n{}", table::format(&measured?));
    Ok(())
}

/// Returns the name of the first NVIDIA GPU.
fn nvidia_gpu() -> Option<String> {
    let output = Command::new("nvidia-smi")
        .args([
            "--query-gpu=name,driver_version,memory.total",
            "--format=csv,noheader",
        ])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().next().map(str::to_owned)
}

fn test_kernels(feature: &str) -> Result<()> {
    let line = format!(
        "test --release -p finetune-kernels --features {feature} --lib cube:: -- --nocapture"
    );
    println!("cargo {line}");
    let status = workspace::cargo()
        .args(line.split(' '))
        .status()
        .context("cannot start cargo")?;
    ensure!(
        status.success(),
        "the tests of the kernels failed: {status}"
    );
    Ok(())
}

/// Trains with each contestant at each batch size, as far as the time allows.
fn measure(
    arguments: &Arguments,
    program: &Path,
    model: &Path,
    folder: &Path,
) -> Result<Vec<Vec<String>>> {
    let start = Instant::now();
    let texts = folder.join("texts.jsonl");
    write_texts(&model.join("texts.csv"), &texts)?;
    let header = BATCHES.map(|batch| format!("batch {batch}, samples/s"));
    let mut rows = vec![vec!["contestant".to_owned()]];
    rows[0].extend(header);
    let mut row = |name: &str, run: &dyn Fn(usize) -> Result<String>| {
        let cells = BATCHES.map(|batch| match start.elapsed() < TIME {
            true => run(batch),
            false => Ok("not measured: no time".to_owned()),
        });
        let cells: Result<Vec<_>> = cells.into_iter().collect();
        let cells = cells.with_context(|| name.to_owned())?;
        println!("{name}: {}", cells.join(", "));
        rows.push([vec![name.to_owned()], cells].concat());
        anyhow::Ok(())
    };
    for (name, strategy, precision) in OURS {
        row(name, &|batch| {
            let output = folder.join(format!("{strategy}-{precision}-{batch}"));
            ours(program, model, &texts, &output, strategy, precision, batch)
        })?;
    }
    for (name, contestant) in THEIRS {
        // What PyTorch lacks is no failure of ours.
        row(name, &|batch| {
            let found = theirs(&arguments.python, model, &texts, contestant, batch);
            Ok(found.unwrap_or_else(|error| format!("not measured: {error:#}")))
        })?;
    }
    Ok(rows)
}

/// Writes the texts as JSON lines, with classes as numbers, which both sides read.
fn write_texts(csv: &Path, target: &Path) -> Result<()> {
    let mut reader =
        csv::Reader::from_path(csv).with_context(|| format!("cannot read {}", csv.display()))?;
    let mut text = String::new();
    for record in reader.records() {
        let record = record.with_context(|| format!("cannot read {}", csv.display()))?;
        let label = match record.get(1) {
            Some("negative") => 0,
            Some("positive") => 1,
            other => bail!(
                "{}: the label is {other:?}, not negative or positive",
                csv.display()
            ),
        };
        text += &format!("{}\n", json!({ "text": record.get(0), "label": label }));
    }
    fs::write(target, text).with_context(|| format!("cannot write {}", target.display()))
}

/// Trains with `finetune`, and returns its speed after the first steps.
fn ours(
    program: &Path,
    model: &Path,
    texts: &Path,
    output: &Path,
    strategy: &str,
    precision: &str,
    batch: usize,
) -> Result<String> {
    let steps = STEPS.iter().sum::<usize>().to_string();
    let line = Command::new(program)
        .arg("train")
        .arg("--model")
        .arg(model)
        .arg("--dataset")
        .arg(texts)
        .arg("--output")
        .arg(output)
        .args([
            "--device",
            "cuda",
            "--strategy",
            strategy,
            "--precision",
            precision,
        ])
        .args(["--batch-size", &batch.to_string(), "--max-steps", &steps])
        .args("--eval-strategy no --save-strategy no --report-to none --json".split(' '))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    ensure!(
        line.status.success(),
        "training failed: {}",
        String::from_utf8_lossy(&line.stderr).trim()
    );
    let events = output.join("events.jsonl");
    let events =
        fs::read_to_string(&events).with_context(|| format!("cannot read {}", events.display()))?;
    let speed = speed(&events, STEPS[0]).context("the event log has too few steps")?;
    Ok(format!("{speed:.0}"))
}

/// Returns the rows per second of an event log without its first steps.
fn speed(events: &str, skipped: usize) -> Option<f64> {
    let events = events
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let steps = events
        .filter(|event| event["event"] == "step")
        .skip(skipped);
    let (rows, seconds) = steps.fold((0.0, 0.0), |(rows, seconds), step| {
        let number = |name: &str| step[name].as_f64().unwrap_or(0.0);
        (rows + number("rows"), seconds + number("seconds"))
    });
    (seconds > 0.0).then(|| rows / seconds)
}

/// Trains with PyTorch, and returns its speed.
fn theirs(
    python: &Path,
    model: &Path,
    texts: &Path,
    contestant: &str,
    batch: usize,
) -> Result<String> {
    let output = Command::new(python)
        .arg(workspace::root().join("benches/peer/gpu.py"))
        .arg(model)
        .arg(texts)
        .args(["--only", contestant, "--batches", &batch.to_string()])
        .args(["--steps", &STEPS[1].to_string()])
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", python.display()))?;
    let wrote = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{}",
        wrote.trim().lines().last().unwrap_or("no message")
    );
    let result = String::from_utf8_lossy(&output.stdout);
    let result: Value = serde_json::from_str(result.trim()).context("gpu.py wrote no result")?;
    let speed = result["samples_per_second"]
        .as_f64()
        .context("gpu.py wrote no speed")?;
    Ok(format!("{speed:.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_steps_do_not_count() {
        let step = |seconds: f64| json!({ "event": "step", "rows": 16, "seconds": seconds });
        let log = [
            json!({ "event": "started" }),
            step(9.0),
            step(0.5),
            step(0.3),
        ];
        let log = log.map(|event| event.to_string()).join("\n");
        assert_eq!(speed(&log, 1), Some(40.0));
        assert_eq!(speed(&log, 3), None);
    }

    #[test]
    fn texts_have_numbers_for_classes() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["a.csv", "a.jsonl"].map(|name| folder.path().join(name));
        fs::write(&from, "text,label\nsome words,positive\nothers,negative\n").unwrap();
        write_texts(&from, &to).unwrap();
        assert_eq!(
            fs::read_to_string(&to).unwrap(),
            "{\"text\":\"some words\",\"label\":1}\n{\"text\":\"others\",\"label\":0}\n"
        );
        fs::write(&from, "text,label\nsome words,other\n").unwrap();
        assert!(write_texts(&from, &to).is_err());
    }
}
