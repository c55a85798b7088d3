//! Waits for a file that only one process at a time may hold.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use crate::error::{HubError, IoContext};
use crate::progress::{Progress, Report};

/// Pause between attempts to take the lock.
const PAUSE: Duration = Duration::from_millis(100);

/// Opens `path` for appending, creating it and its folder, and waits until no other process holds
/// it. The lock ends when the file is closed, also by a crash.
pub(crate) fn open_locked(path: &Path, report: Report<'_>) -> Result<File, HubError> {
    let mut told = false;
    loop {
        // Repeated each time, because the last holder may have removed the folder with the file.
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).context("create", folder)?;
        }
        let file = finetune_files::open_locked(path, || None)?;
        if let Some(file) = file {
            return Ok(file);
        }
        if !told {
            report(Progress::Note(format!(
                "waiting for another process to finish the same download ({})",
                path.display()
            )));
            told = true;
        }
        std::thread::sleep(PAUSE);
    }
}
