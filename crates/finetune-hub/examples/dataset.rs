//! Resolves the name of a data set and prints where the files of its splits are.
//!
//! ```text
//! cargo run -p finetune-hub --example dataset -- glue mrpc
//! ```

use std::process::ExitCode;

use finetune_hub::{Hub, HubError, Progress};

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
    let name = arguments.next().unwrap_or_else(|| "imdb".to_string());
    let config = arguments.next();
    let report = &mut |progress| {
        if let Progress::Note(note) = progress {
            eprintln!("{note}");
        }
    };
    let hub = Hub::from_env();
    let found = hub.find_dataset(&name, config.as_deref(), None, report)?;
    println!("configuration  {}", found.config());
    println!("commit         {}", found.commit());
    let files = hub.fetch_dataset(&found, &found.split_names(), report)?;
    for (split, files) in files.splits {
        for file in files {
            println!("{split:14} {}", file.display());
        }
    }
    Ok(())
}
