//! Questions that another process of this program answers: what does not fit into memory ends only that process.
//! It gets the question on its standard input and answers on its standard output.

use std::{
    io::{Read, Write},
    process::{Child, Command, Stdio},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::error::Failure;

/// Starts the process that answers a question by a hidden command.
///
/// # Errors
/// Fails if it cannot be started.
pub fn ask(command: &str, question: &impl Serialize) -> Result<Child, Failure> {
    let failed = |error: std::io::Error| cannot_ask(command, &error);
    let text = serde_json::to_vec(question).map_err(|error| failed(error.into()))?;
    let program = std::env::current_exe().map_err(failed)?;
    let mut child = Command::new(program)
        .arg(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        // If the child has already died, its status says so.
        let _ = input.write_all(&text);
    }
    Ok(child)
}

/// Returns the failure of a process that cannot be started, or waited for.
pub fn cannot_ask(command: &str, error: &std::io::Error) -> Failure {
    Failure::Internal(format!(
        "cannot run {command} in a separate process: {error}"
    ))
}

/// Reads the question in the process that answers, which the system is told to kill first.
///
/// # Errors
/// Fails if the question cannot be read.
pub fn asked<T: DeserializeOwned>(command: &str) -> Result<T, Failure> {
    // Only Linux has this file, and only Linux kills processes for their memory.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let internal = |error: String| Failure::Internal(format!("{command}: {error}"));
    let mut text = Vec::new();
    let read = std::io::stdin().read_to_end(&mut text);
    read.map_err(|error| internal(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| internal(error.to_string()))
}
