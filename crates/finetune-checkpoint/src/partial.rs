//! A checkpoint that is being written, beside its place.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::content::CheckpointFile;
use crate::directory::{CheckpointDirectory, PARTIAL, step_name};
use crate::durable::sync_directory;
use crate::error::{CheckpointError, IoContext};
use crate::hashing::{HashingWriter, PIECE};
use crate::manifest::{FileEntry, MANIFEST, Manifest};

/// A directory that goes away when dropped, unless it was published.
pub(crate) struct PartialCheckpoint {
    path: PathBuf,
    published: bool,
}

impl PartialCheckpoint {
    pub(crate) fn create(
        directory: &CheckpointDirectory,
        step: u64,
    ) -> Result<Self, CheckpointError> {
        let path = directory
            .path()
            .join(format!("{PARTIAL}{}", step_name(step)));
        // Left by a save whose clean-up failed: the directory is ours alone.
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).context("remove", &path);
            }
            _ => {}
        }
        fs::create_dir(&path).context("create", &path)?;
        Ok(Self {
            path,
            published: false,
        })
    }

    /// Writes and syncs a file whose name has been checked.
    pub(crate) fn write(
        &self,
        file: &mut dyn CheckpointFile,
    ) -> Result<FileEntry, CheckpointError> {
        let path = self.path.join(file.name());
        let action = "write";
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).context("create", parent)?;
        }
        let target = File::create_new(&path).context(action, &path)?;
        let mut out = BufWriter::with_capacity(PIECE, HashingWriter::new(target));
        file.write(&mut out).context(action, &path)?;
        let writer = out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .context(action, &path)?;
        let (target, bytes, sha256) = writer.finish();
        target.sync_all().context("sync", &path)?;
        Ok(FileEntry { bytes, sha256 })
    }

    /// Writes and syncs the manifest, then every directory. Returns the manifest's bytes.
    pub(crate) fn seal(&self, manifest: &Manifest) -> Result<u64, CheckpointError> {
        let path = self.path.join(MANIFEST);
        let text = manifest.to_text().context("write", &path)?;
        let mut file = File::create_new(&path).context("write", &path)?;
        file.write_all(text.as_bytes()).context("write", &path)?;
        file.sync_all().context("sync", &path)?;
        for name in manifest.files.keys() {
            let inner = Path::new(name).ancestors().skip(1);
            for directory in inner.filter(|path| !path.as_os_str().is_empty()) {
                sync_directory(&self.path.join(directory))?;
            }
        }
        sync_directory(&self.path)?;
        Ok(text.len() as u64)
    }

    /// Gives the checkpoint its name, where there must be none.
    pub(crate) fn publish(mut self, place: &Path) -> Result<(), CheckpointError> {
        fs::rename(&self.path, place).context("write", place)?;
        self.published = true;
        Ok(())
    }
}

impl Drop for PartialCheckpoint {
    fn drop(&mut self) {
        if !self.published {
            // What cannot be removed now is removed when the store is opened next.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
