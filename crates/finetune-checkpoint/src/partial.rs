//! A checkpoint that is being written, in a temporary directory.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use finetune_files::NewDirectory;

use crate::content::CheckpointFile;
use crate::error::{CheckpointError, IoContext};
use crate::hashing::{HashingWriter, PIECE};
use crate::manifest::{FileEntry, MANIFEST, Manifest};

/// A directory that is removed when dropped, unless it was published.
pub(crate) struct PartialCheckpoint(NewDirectory);

impl PartialCheckpoint {
    pub(crate) fn create(place: &Path) -> Result<Self, CheckpointError> {
        Ok(Self(NewDirectory::beside(place)?))
    }

    /// Writes a file whose name has been checked.
    pub(crate) fn write(
        &self,
        file: &mut dyn CheckpointFile,
    ) -> Result<FileEntry, CheckpointError> {
        let path = self.0.path().join(file.name());
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
        // Syncing each file at once lets the disk work while the next file is computed.
        target.sync_all().context("sync", &path)?;
        Ok(FileEntry { bytes, sha256 })
    }

    /// Writes the manifest, syncs everything, and returns the manifest's size in bytes.
    pub(crate) fn seal(&mut self, manifest: &Manifest) -> Result<u64, CheckpointError> {
        let path = self.0.path().join(MANIFEST);
        let text = manifest.to_text().context("write", &path)?;
        let mut file = File::create_new(&path).context("write", &path)?;
        file.write_all(text.as_bytes()).context("write", &path)?;
        self.0.seal()?;
        Ok(text.len() as u64)
    }

    /// Gives the checkpoint its final name, which must not exist, and syncs the rename.
    pub(crate) fn publish(self) -> Result<(), CheckpointError> {
        Ok(self.0.publish()?)
    }
}
