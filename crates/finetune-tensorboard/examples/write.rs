//! Writes an invented training run with every kind of summary, interrupts it, and continues it.
//!
//! ```text
//! cargo run -p finetune-tensorboard --example write -- runs/example
//! tensorboard --logdir runs
//! ```

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};

use finetune_tensorboard::{EventReader, EventWriter, HparamValue, SessionStatus};

const TAGS: [&str; 2] = ["loss/train", "validation/accuracy"];

fn main() -> Result<(), Box<dyn Error>> {
    let dir = env::args().nth(1).ok_or("give a directory to write to")?;
    let (path, checkpoint) = killed_run(Path::new(&dir))?;
    continued_run(&path, checkpoint)?;

    for event in EventReader::open(&path)? {
        let event = event?;
        for (tag, value) in event.scalars() {
            println!("{:>4}  {tag:<20} {value:.4}", event.step);
        }
    }
    println!("{}", path.display());
    Ok(())
}

/// Writes steps 1 to 70, with a checkpoint after 50, and returns the file and its length at the
/// checkpoint.
fn killed_run(dir: &Path) -> Result<(PathBuf, u64), Box<dyn Error>> {
    let mut writer = EventWriter::create(dir, None)?;
    let params: [(String, HparamValue); 4] = [
        ("learning_rate".into(), 5e-5.into()),
        ("batch_size".into(), 16.into()),
        ("strategy".into(), "lora".into()),
        ("packed".into(), true.into()),
    ];
    writer.hparams(&params, &TAGS)?;
    writer.text(
        "plan",
        0,
        "| option | value |\n|---|---|\n| rank | **8** |\n",
    )?;
    train(&mut writer, 1..=50)?;
    // A checkpoint must not be ahead of the events on the disk.
    writer.sync()?;
    let checkpoint = writer.position();
    train(&mut writer, 51..=70)?;
    writer.flush()?;
    Ok((writer.path().to_path_buf(), checkpoint))
}

/// Writes steps 51 to 100. The events that the killed run wrote after the checkpoint are cut off.
fn continued_run(path: &Path, checkpoint: u64) -> Result<(), Box<dyn Error>> {
    let mut writer = EventWriter::append_at(path, checkpoint)?;
    train(&mut writer, 51..=100)?;
    writer.hparams_end(SessionStatus::Success)?;
    writer.flush()?;
    Ok(())
}

fn train(writer: &mut EventWriter, steps: impl Iterator<Item = i64>) -> Result<(), Box<dyn Error>> {
    for step in steps {
        let x = step as f32;
        writer.scalar(
            TAGS[0],
            step,
            1.0 / (1.0 + x / 10.0) + 0.02 * (x * 1.7).sin(),
        )?;
        if step % 25 == 0 {
            evaluate(writer, step)?;
        }
    }
    Ok(())
}

/// Evaluates a classifier that separates its 1,000 rows better the longer it was trained.
fn evaluate(writer: &mut EventWriter, step: i64) -> Result<(), Box<dyn Error>> {
    let labels: Vec<bool> = (0..1000).map(|i| i % 4 == 0).collect();
    let margins: Vec<f32> = labels
        .iter()
        .enumerate()
        .map(|(i, &label)| {
            let noise = ((i * 7919) % 1000) as f32 / 500.0 - 1.0;
            let side = if label { 1.0 } else { -1.0 };
            side * step as f32 / 50.0 + 3.0 * noise
        })
        .collect();
    let predictions: Vec<f32> = margins.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect();
    let right = labels
        .iter()
        .zip(&predictions)
        .filter(|(label, p)| **label == (**p > 0.5));
    writer.scalar(TAGS[1], step, right.count() as f32 / 1000.0)?;
    writer.histogram("validation/margins", step, &margins)?;
    writer.pr_curve("validation/positive", step, &labels, &predictions, 201)?;
    Ok(())
}
