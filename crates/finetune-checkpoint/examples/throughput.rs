//! Saves and verifies checkpoints of a given size, by default that of DistilBERT with AdamW's two
//! moments (3 × 268 MB), and prints the time that this takes.
//!
//! ```text
//! cargo run --release -p finetune-checkpoint --example throughput -- DIRECTORY [MB per file]
//! ```

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;
use std::{env, path::Path};

use finetune_checkpoint::{BackgroundWriter, Checkpoint, CheckpointStore, Content, Retention};

const FILES: [&str; 3] = ["model", "first_moment", "second_moment"];

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let Some(directory) = arguments.next() else {
        eprintln!("usage: throughput DIRECTORY [MB per file]");
        return ExitCode::from(2);
    };
    let megabytes = arguments.next().map_or(Ok(268), |number| number.parse());
    let result = megabytes
        .map_err(Box::from)
        .and_then(|megabytes| measure(Path::new(&directory), megabytes));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(directory: &Path, megabytes: usize) -> Result<(), Box<dyn Error>> {
    let retention = Retention {
        keep_last: 1,
        byte_budget: None,
    };
    let store = CheckpointStore::open(directory, retention)?;
    let first = store.steps()?.last().map_or(1, |step| step + 1);
    let writer = BackgroundWriter::new(store)?;
    for step in first..first + 3 {
        let waited = writer.submit(step, content(step, megabytes), false)?;
        println!("step {step}: waited {:.2} s", waited.as_secs_f64());
    }
    for saved in writer.finish() {
        let saved = saved?;
        report("saved", saved.step, saved.bytes, saved.seconds);
        if saved.step == first + 2 {
            let started = Instant::now();
            let checkpoint = Checkpoint::open(saved.path)?;
            let seconds = started.elapsed().as_secs_f64();
            report("verified", saved.step, checkpoint.bytes(), seconds);
        }
    }
    Ok(())
}

/// Returns files of poorly compressible values, written in pieces like the bytes of a tensor.
fn content(step: u64, megabytes: usize) -> Content {
    let piece: Vec<u8> = (0..1_000_000_u64)
        .map(|index| ((index + step).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8)
        .collect();
    FILES.into_iter().fold(Content::default(), |content, name| {
        let piece = piece.clone();
        let size = (megabytes * piece.len()) as u64;
        content.writer(name, Some(size), move |out| write(out, &piece, megabytes))
    })
}

fn write(out: &mut dyn Write, piece: &[u8], times: usize) -> io::Result<()> {
    (0..times).try_for_each(|_| out.write_all(piece))
}

fn report(what: &str, step: u64, bytes: u64, seconds: f64) {
    let megabytes = bytes as f64 / 1e6;
    println!(
        "step {step}: {what} {megabytes:.0} MB in {seconds:.2} s, {:.0} MB/s",
        megabytes / seconds
    );
}
