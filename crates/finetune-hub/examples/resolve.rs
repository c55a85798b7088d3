//! Resolves a model name and prints where the model's files are.
//!
//! ```text
//! cargo run -p finetune-hub --example resolve -- sentence-transformers/all-MiniLM-L6-v2
//! ```

use std::process::ExitCode;
use std::time::Instant;

use finetune_hub::{DEFAULT_MODEL, Hub, HubError, Progress};

fn main() -> ExitCode {
    match resolve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn resolve() -> Result<(), HubError> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments
        .next()
        .unwrap_or_else(|| DEFAULT_MODEL.to_string());
    let revision = arguments.next();
    let start = Instant::now();
    let mut shown = None;
    let files = Hub::from_env().resolve(&name, revision.as_deref(), &mut |progress| {
        // Print at most one line per tenth of a file.
        if let Progress::Bytes {
            file,
            done,
            total: Some(total),
        } = &progress
        {
            let step = Some((file.clone(), 10 * done / (*total).max(1)));
            if shown == step {
                return;
            }
            shown = step;
        }
        eprintln!("{progress}");
    })?;
    println!("source    {:?}", files.source);
    println!("directory {}", files.dir.display());
    println!("revision  {}", files.revision.as_deref().unwrap_or("-"));
    println!("SHA-256   {}", files.weights_sha256);
    println!("seconds   {:.3}", start.elapsed().as_secs_f64());
    Ok(())
}
