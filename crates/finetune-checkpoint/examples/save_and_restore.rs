//! Counts to a number step by step, with a checkpoint every ten steps. Kill it at any moment and start
//! it again: it resumes from the newest valid checkpoint.
//!
//! ```text
//! cargo run -p finetune-checkpoint --example save_and_restore -- runs/counter/checkpoints 500
//! ```

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs, thread};

use finetune_checkpoint::{BackgroundWriter, CheckpointStore, Content, Retention};
use serde_json::json;

const EVERY: u64 = 10;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let directory = arguments
        .next()
        .unwrap_or_else(|| "runs/counter/checkpoints".to_owned());
    let steps = arguments.next().map_or(Ok(100), |steps| steps.parse());
    let result = steps
        .map_err(Box::from)
        .and_then(|steps| count(&directory, steps));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn count(directory: &str, steps: u64) -> Result<(), Box<dyn Error>> {
    let retention = Retention {
        keep_last: 3,
        byte_budget: None,
    };
    let store = CheckpointStore::open(directory, retention)?;
    let (mut step, mut sum) = (0, 0);
    if let Some(found) = store.newest_valid()? {
        for (_, error) in &found.damaged {
            eprintln!("passed over: {error}");
        }
        step = found.checkpoint.step();
        sum = fs::read_to_string(found.checkpoint.file("sum.txt")?)?.parse()?;
        println!("going on from step {step}, sum {sum}");
    }

    let writer = BackgroundWriter::new(store)?;
    while step < steps {
        step += 1;
        sum += step;
        thread::sleep(Duration::from_millis(20));
        if step % EVERY == 0 {
            let content = Content::new(json!({ "sum": sum })).bytes("sum.txt", sum.to_string());
            writer.submit(step, content, false)?;
        }
        for saved in writer.poll() {
            println!("saved {}", saved?.path.display());
        }
    }
    for saved in writer.finish() {
        println!("saved {}", saved?.path.display());
    }
    println!("the sum of the numbers up to {steps} is {sum}");
    Ok(())
}
