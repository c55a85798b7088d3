//! Pipes, sockets and devices that have the name of a file. Opening a pipe waits for somebody to write
//! into it and a device may have no end, so they are refused before anything is opened.

use std::{fs, path::Path};

use crate::error::Failure;

/// What the files of models, adapters and runs end in.
const ENDINGS: [&str; 6] = ["json", "safetensors", "bin", "txt", "toml", "jsonl"];

/// Refuses a file that is none; what is not there is left to who opens it.
pub fn refuse(path: &Path) -> Result<(), Failure> {
    let special = fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir());
    match special {
        true => Err(Failure::User(format!(
            "{} is a pipe, a socket or a device, not a file; put a file in its place",
            path.display()
        ))),
        false => Ok(()),
    }
}

/// Refuses the directory of a model or an adapter with such a file in it.
pub fn refuse_in(directory: &Path) -> Result<(), Failure> {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        if ending.is_some_and(|ending| ENDINGS.contains(&ending)) {
            refuse(&path)?;
        }
    }
    Ok(())
}

/// Refuses the directory of a run with anything of that kind in it, or in its own directories.
pub fn refuse_in_run(run: &Path) -> Result<(), Failure> {
    for entry in fs::read_dir(run).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => refuse_in_run(&entry.path())?,
            _ => refuse(&entry.path())?,
        }
    }
    Ok(())
}
