//! Downloads a blob into the cache under a temporary name: locked, verified, then renamed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use finetune_files::rename_file;

use crate::checksum::Checksum;
use crate::error::{HubError, IoContext};
use crate::lock::open_locked;
use crate::progress::Report;

/// The exclusive right to write a blob, as the file `{checksum}.incomplete` beside its final path.
/// A file left by an earlier, interrupted call is kept and continued.
#[derive(Debug)]
pub(crate) struct IncompleteBlob {
    pub(crate) file: File,
    path: PathBuf,
    blob: PathBuf,
}

impl IncompleteBlob {
    /// Waits for the right to write `blob`; returns `None` if somebody else has written it in the
    /// meantime.
    pub(crate) fn open(blob: &Path, report: Report<'_>) -> Result<Option<Self>, HubError> {
        let name = blob.file_name().unwrap_or_default().to_string_lossy();
        let path = blob.with_file_name(format!("{name}.incomplete"));
        let file = open_locked(&path, report)?;
        let incomplete = Self {
            file,
            path,
            blob: blob.to_path_buf(),
        };
        if blob.is_file() {
            incomplete.discard();
            return Ok(None);
        }
        Ok(Some(incomplete))
    }

    /// Returns the number of bytes written so far.
    pub(crate) fn length(&self) -> Result<u64, HubError> {
        Ok(self.file.metadata().context("read", &self.path)?.len())
    }

    /// Discards the content written so far.
    pub(crate) fn clear(&mut self) -> Result<(), HubError> {
        self.file.set_len(0).context("write", &self.path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the content's checksum if it differs from the expected one.
    pub(crate) fn mismatch(&self, expected: &Checksum) -> Result<Option<Checksum>, HubError> {
        let found = expected
            .of_same_kind(&self.path)
            .context("read", &self.path)?;
        Ok((found != *expected).then_some(found))
    }

    /// Moves the finished blob to its final path.
    pub(crate) fn finish(self) -> Result<(), HubError> {
        Ok(rename_file(&self.file, &self.path, &self.blob)?)
    }

    /// Removes the file.
    pub(crate) fn discard(self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn a_second_writer_waits_and_finds_the_blob_finished() {
        let folder = tempfile::tempdir().unwrap();
        let blob = folder.path().join("blobs").join("abc");
        let mut first = IncompleteBlob::open(&blob, &mut |_| {}).unwrap().unwrap();
        let (sender, waiting) = mpsc::channel();
        let path = blob.clone();
        let second = thread::spawn(move || {
            IncompleteBlob::open(&path, &mut |progress| sender.send(progress).unwrap())
        });
        let note = waiting.recv().unwrap().to_string();
        assert!(note.contains("waiting for another process"), "{note}");
        first.file.write_all(b"content").unwrap();
        first.finish().unwrap();
        assert!(second.join().unwrap().unwrap().is_none());
        assert_eq!(fs::read(&blob).unwrap(), b"content");
        assert_eq!(fs::read_dir(blob.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_second_writer_takes_over_from_one_that_gave_up() {
        let folder = tempfile::tempdir().unwrap();
        let blob = folder.path().join("abc");
        let first = IncompleteBlob::open(&blob, &mut |_| {}).unwrap().unwrap();
        let (sender, waiting) = mpsc::channel();
        let path = blob.clone();
        let second = thread::spawn(move || {
            IncompleteBlob::open(&path, &mut |progress| sender.send(progress).unwrap())
        });
        waiting.recv().unwrap();
        first.discard();
        let mut second = second.join().unwrap().unwrap().unwrap();
        second.file.write_all(b"mine").unwrap();
        second.finish().unwrap();
        assert_eq!(fs::read(&blob).unwrap(), b"mine");
    }
}
