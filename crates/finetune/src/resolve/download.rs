//! Downloads from the hub, with a progress bar for each file.

use finetune_hub::{HubError, Progress};
use indicatif::ProgressBar;

use crate::{
    error::Failure,
    view::{
        output::{printable, say},
        progress::{DOWNLOAD, bar},
    },
};

/// The callback that receives a download's progress.
type Report<'a> = &'a mut dyn FnMut(Progress);

/// Makes a call that may download, and shows its progress.
///
/// # Errors
/// Fails if the call fails.
pub fn shown<T>(call: impl FnOnce(Report<'_>) -> Result<T, HubError>) -> Result<T, Failure> {
    let mut current: Option<(String, ProgressBar)> = None;
    let result = call(&mut |progress| match progress {
        Progress::Bytes { file, done, total } => {
            if current.as_ref().is_none_or(|(name, _)| *name != file) {
                let bar = bar(total.unwrap_or(0), DOWNLOAD);
                bar.set_message(printable(&file).into_owned());
                // Speed and ETA are measured from where a download resumes.
                bar.set_position(done);
                bar.reset_eta();
                current = Some((file, bar));
            }
            if let Some((_, bar)) = &current {
                bar.set_position(done);
            }
        }
        Progress::Note(note) => say!("note: {note}"),
        _ => {}
    });
    if let Some((_, bar)) = current {
        bar.finish_and_clear();
    }
    Ok(result?)
}
