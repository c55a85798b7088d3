//! Runs that a command makes by processes of this program.

use std::{
    path::{Path, PathBuf},
    thread,
};

use finetune_compare::runner::{End, Progress, RunState};

use crate::{
    error::Failure,
    view::{
        output::say,
        shell::{self, quote},
    },
};

/// Returns the path of this program.
///
/// # Errors
/// Fails if the system does not tell.
pub fn own_program() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::Internal(format!("cannot train in separate processes: {error}")))
}

/// Returns the directory for the runs of a description: that of the command line, or one named after the file.
pub fn output(file: &Path, named: Option<&Path>) -> PathBuf {
    let default = || Path::new("runs").join(file.file_stem().unwrap_or_default());
    let output = named.map_or_else(default, Path::to_path_buf);
    match output.to_string_lossy().starts_with('-') {
        true => Path::new(".").join(output),
        false => output,
    }
}

/// Returns the threads of each of several processes; one alone takes those that it finds.
pub fn threads(jobs: usize) -> Option<usize> {
    let all = thread::available_parallelism().map_or(1, usize::from);
    (jobs > 1).then(|| (all / jobs).max(1))
}

/// Says what happens to a run. `which` says which one of all starts; `folder` has the logs.
pub fn say_progress(progress: &Progress<'_>, which: &str, folder: &Path) {
    match progress {
        Progress::Starts(_, arguments) => {
            let words: Vec<_> = arguments.iter().map(|word| quote(word)).collect();
            say!("[{which}] $ {} {}", shell::program(), words.join(" "));
        }
        Progress::Waits(job) => say!("{}: in use by another process; waiting", job.name),
        Progress::Ended(job, End::Failed { code, output }) => say!(
            "{}: failed with exit code {code}; all of its output is in {}\n{}",
            job.name,
            folder.join(format!("{}.log", job.name)).display(),
            output.trim_end()
        ),
        Progress::Ended(job, End::WasDone) => say!("{}: complete already", job.name),
        Progress::Ended(job, End::Done) => {
            let how = match RunState::of(&folder.join(&job.name)) {
                RunState::Complete => "complete",
                RunState::Interrupted | RunState::New => "paused",
            };
            say!("{}: {how}", job.name);
        }
        Progress::Ended(job, End::Stopped(_)) => say!("{}: stopped", job.name),
    }
}
