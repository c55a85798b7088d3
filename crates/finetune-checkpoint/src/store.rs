//! Saves checkpoints to a directory, as its only writer.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use finetune_files::{DirectoryLock, is_partial, sync_directory};

use crate::best;
use crate::checkpoint::Checkpoint;
use crate::content::Content;
use crate::directory::{CheckpointDirectory, Found, REMOVED, step_name};
use crate::error::{CheckpointError, IoContext};
use crate::manifest::Manifest;
use crate::partial::PartialCheckpoint;
use crate::retention::{Kept, Retention};
use crate::saved::{Note, Saved};
use crate::space::free_bytes;

/// A directory of checkpoints for saving. Only one store at a time, in this and all other processes,
/// can hold a directory.
#[derive(Debug)]
pub struct CheckpointStore {
    directory: CheckpointDirectory,
    retention: Retention,
    /// The best step according to the caller; `None` means that of `best.json`.
    best: Option<u64>,
    _lock: DirectoryLock,
}

impl CheckpointStore {
    /// Creates the directory if necessary, acquires its lock, and removes what killed saves and removals
    /// have left behind.
    ///
    /// # Errors
    /// Fails if another store holds the directory, or if it cannot be created, read or cleaned up.
    pub fn open(path: impl Into<PathBuf>, retention: Retention) -> Result<Self, CheckpointError> {
        let directory = CheckpointDirectory::new(path);
        let path = directory.path();
        fs::create_dir_all(path).context("create", path)?;
        // A relative path of one part has the empty path as its parent.
        if let Some(parent) = path.parent().filter(|path| !path.as_os_str().is_empty()) {
            sync_directory(parent)?;
        }
        let lock = DirectoryLock::take(path)?;
        remove_leftovers(path)?;
        match best::settle(&directory) {
            // A caller that asks for the best step gets the error; training can continue without it.
            Ok(()) | Err(CheckpointError::Damaged { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(Self {
            directory,
            retention,
            best: None,
            _lock: lock,
        })
    }

    /// Makes `best` the best step, if it has a checkpoint, whatever `best.json` says: a caller's
    /// knowledge from a verified checkpoint is more reliable than a file without a checksum, and
    /// decides what is kept.
    ///
    /// # Errors
    /// Fails if `best.json` cannot be written.
    pub fn trust_best(&mut self, best: Option<u64>) -> Result<(), CheckpointError> {
        let exists = |step: &u64| self.directory.path_of(*step).is_dir();
        let best = best.filter(exists);
        best::set(&self.directory, best)?;
        self.best = best;
        Ok(())
    }

    /// Removes the checkpoints that are no longer needed now that `newest` is the newest, which a killed
    /// save may have left undone.
    pub fn tidy(&mut self, newest: u64) -> Vec<Note> {
        self.retain(newest, 0).1
    }

    /// Returns the directory for reading.
    pub fn directory(&self) -> &CheckpointDirectory {
        &self.directory
    }

    /// Calls [`CheckpointDirectory::steps`].
    ///
    /// # Errors
    /// Fails if the directory cannot be read.
    pub fn steps(&self) -> Result<Vec<u64>, CheckpointError> {
        self.directory.steps()
    }

    /// Calls [`CheckpointDirectory::best`].
    ///
    /// # Errors
    /// Fails if `best.json` cannot be read or is damaged.
    pub fn best(&self) -> Result<Option<u64>, CheckpointError> {
        self.directory.best()
    }

    /// Calls [`CheckpointDirectory::newest_valid`].
    ///
    /// # Errors
    /// Fails if all checkpoints are damaged, or if one that is newer than the valid ones was written by
    /// a newer version.
    pub fn newest_valid(&self) -> Result<Option<Found>, CheckpointError> {
        self.directory.newest_valid()
    }

    /// Saves a checkpoint, marks it as the best if it is, and removes those that are no longer needed.
    ///
    /// A valid checkpoint of the same step is left unchanged, since a resumed run reaches the step with
    /// the same bits. A damaged one is replaced.
    ///
    /// # Errors
    /// Fails if a file's name is invalid, if a file cannot be written, if the disk is full, or if the
    /// step has a checkpoint of a newer version. Then nothing is left of the new checkpoint, and the
    /// earlier ones are unchanged. Failures after the checkpoint is safe become a [`Note`] instead.
    pub fn save(
        &mut self,
        step: u64,
        content: Content,
        best: bool,
    ) -> Result<Saved, CheckpointError> {
        let started = Instant::now();
        content.check_names()?;
        let path = self.directory.path_of(step);
        let (bytes, already_there) = match self.existing(&path)? {
            Some(bytes) => {
                if best {
                    best::write(&self.directory, step)?;
                }
                (bytes, true)
            }
            None => (self.write(step, &path, content, best)?, false),
        };
        if best {
            self.best = Some(step);
        }
        let (removed, notes) = self.retain(step, bytes);
        Ok(Saved {
            step,
            path,
            bytes,
            seconds: started.elapsed().as_secs_f64(),
            already_there,
            removed,
            notes,
        })
    }

    /// Returns the size in bytes of the checkpoint at `path`, if there is a valid one.
    fn existing(&self, path: &Path) -> Result<Option<u64>, CheckpointError> {
        if !path.exists() {
            return Ok(None);
        }
        match Checkpoint::open(path) {
            Ok(checkpoint) => Ok(Some(checkpoint.bytes())),
            Err(error @ CheckpointError::NewerFormat { .. }) => Err(error),
            Err(_) => Ok(None),
        }
    }

    fn write(
        &self,
        step: u64,
        path: &Path,
        content: Content,
        best: bool,
    ) -> Result<u64, CheckpointError> {
        let needed = content.size_hint();
        self.try_write(step, path, content, best).map_err(|error| {
            // The error at hand is more helpful than one of this cleanup, which opening repeats anyway.
            let _ = best::settle(&self.directory);
            match error {
                CheckpointError::File(error) if is_no_space(&error.source) => {
                    CheckpointError::NoSpace {
                        path: path.to_path_buf(),
                        needed,
                        free: free_bytes(self.directory.path()),
                        whole: self.whole_steps(),
                        source: error.source,
                    }
                }
                other => other,
            }
        })
    }

    fn try_write(
        &self,
        step: u64,
        path: &Path,
        content: Content,
        best: bool,
    ) -> Result<u64, CheckpointError> {
        let mut partial = PartialCheckpoint::create(path)?;
        let mut bytes = 0;
        let mut entries = BTreeMap::new();
        for mut file in content.files {
            let entry = partial.write(file.as_mut())?;
            bytes += entry.bytes;
            entries.insert(file.name().to_owned(), entry);
        }
        bytes += partial.seal(&Manifest::new(step, entries, content.metadata))?;
        if best {
            best::write(&self.directory, step)?;
        }
        if path.exists() {
            self.set_aside(step)?;
        }
        partial.publish()?;
        // Removes the damaged checkpoint that this one replaces, if any; if this fails, opening does it.
        let _ = fs::remove_dir_all(self.aside(step));
        Ok(bytes)
    }

    /// Removes what the retention does not keep. Failures are reported, not fatal.
    fn retain(&self, saved: u64, bytes: u64) -> (Vec<u64>, Vec<Note>) {
        let mut notes = Vec::new();
        let mut removed = Vec::new();
        match self.choose(saved) {
            Ok((surplus, kept)) => {
                removed = self.remove(&surplus, &mut notes);
                let total = kept.iter().map(|one| one.bytes).sum();
                match self.retention.byte_budget {
                    Some(budget) if bytes > budget => {
                        notes.push(Note::LargerThanBudget { bytes, budget });
                    }
                    Some(budget) if total > budget => notes.push(Note::OverBudget {
                        bytes: total,
                        budget,
                    }),
                    _ => {}
                }
            }
            Err(error) => notes.push(Note::NotRemoved {
                path: self.directory.path().to_path_buf(),
                reason: error.to_string(),
            }),
        }
        (removed, notes)
    }

    fn choose(&self, saved: u64) -> Result<(Vec<Kept>, Vec<Kept>), CheckpointError> {
        let mut checkpoints = Vec::new();
        for step in self.steps()? {
            let path = self.directory.path_of(step);
            let bytes = bytes_of(&path).context("read", &path)?;
            checkpoints.push(Kept { step, bytes });
        }
        let best = match self.best {
            Some(step) => Some(step),
            None => self.best()?,
        };
        Ok(self.retention.split(&checkpoints, saved, best))
    }

    /// Renames the checkpoints durably before removing their files, so that a partial one is never
    /// taken for a checkpoint.
    fn remove(&self, checkpoints: &[Kept], notes: &mut Vec<Note>) -> Vec<u64> {
        let mut removed = Vec::new();
        for Kept { step, .. } in checkpoints {
            match self.set_aside(*step) {
                Ok(()) => removed.push(*step),
                Err(error) => notes.push(not_removed(self.directory.path_of(*step), &error)),
            }
        }
        if removed.is_empty() {
            return removed;
        }
        if let Err(error) = sync_directory(self.directory.path()) {
            notes.push(not_removed(self.directory.path().to_path_buf(), &error));
            return removed;
        }
        for step in &removed {
            let path = self.aside(*step);
            if let Err(error) = fs::remove_dir_all(&path).context("remove", &path) {
                notes.push(not_removed(path, &error));
            }
        }
        removed
    }

    fn aside(&self, step: u64) -> PathBuf {
        let name = format!("{REMOVED}{}", step_name(step));
        self.directory.path().join(name)
    }

    fn set_aside(&self, step: u64) -> Result<(), CheckpointError> {
        let aside = self.aside(step);
        // A leftover of a removal that failed before.
        if aside.exists() {
            fs::remove_dir_all(&aside).context("remove", &aside)?;
        }
        let path = self.directory.path_of(step);
        fs::rename(&path, &aside).context("remove", &path)
    }

    /// Lists the steps of the intact checkpoints.
    fn whole_steps(&self) -> Vec<u64> {
        let steps = self.steps().unwrap_or_default();
        let is_whole = |step: &u64| Checkpoint::open(self.directory.path_of(*step)).is_ok();
        steps.into_iter().filter(is_whole).collect()
    }
}

fn not_removed(path: PathBuf, error: &dyn std::fmt::Display) -> Note {
    Note::NotRemoved {
        path,
        reason: error.to_string(),
    }
}

fn is_no_space(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

impl Drop for CheckpointStore {
    fn drop(&mut self) {
        // Removes what could not be removed before; if this fails, the next opening does it.
        let _ = remove_leftovers(self.directory.path());
    }
}

fn remove_leftovers(directory: &Path) -> Result<(), CheckpointError> {
    for entry in fs::read_dir(directory).context("read", directory)? {
        let entry = entry.context("read", directory)?;
        let name = entry.file_name();
        if !is_partial(&name) && !name.as_encoded_bytes().starts_with(REMOVED.as_bytes()) {
            continue;
        }
        let path = entry.path();
        let kind = entry.file_type().context("read", &path)?;
        let removed = if kind.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.context("remove", &path)?;
    }
    Ok(())
}

/// Returns the size in bytes of all files in a directory, whatever a manifest says.
fn bytes_of(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            bytes_of(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(bytes)
}
