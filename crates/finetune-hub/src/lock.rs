//! A file that one process at a time may hold.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use crate::error::{HubError, IoContext};
use crate::progress::{Progress, Report};

/// How often a taken lock is tried.
const PAUSE: Duration = Duration::from_millis(100);

/// Opens `path` for appending, creating it and its folder, and waits until no other process holds
/// it. The lock ends when the file is closed, also by a crash.
pub(crate) fn open_locked(path: &Path, report: Report<'_>) -> Result<File, HubError> {
    let mut told = false;
    loop {
        // Again each time: whoever held the lock may have removed the folder with the file.
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).context("create", folder)?;
        }
        let file = finetune_files::open_locked(path, || None)?;
        if let Some(file) = file {
            return Ok(file);
        }
        if !told {
            report(Progress::Note(format!(
                "waiting for another process that downloads the same ({})",
                path.display()
            )));
            told = true;
        }
        std::thread::sleep(PAUSE);
    }
}
