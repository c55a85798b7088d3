//! A verified checkpoint on disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::directory::step_of;
use crate::error::{CheckpointError, IoContext};
use crate::hashing::sha256_of_file;
use crate::manifest::{FileEntry, MANIFEST, Manifest};

/// A checkpoint whose manifest was verified when it was opened; unless by
/// [`open_manifest`](Self::open_manifest), the length and SHA-256 of every file were verified too.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    manifest: Manifest,
    bytes: u64,
}

impl Checkpoint {
    /// Reads and verifies the manifest and all files of the checkpoint.
    ///
    /// # Errors
    /// Fails if the manifest is missing, damaged or of a newer format, or if a file is missing,
    /// unreadable or has changed.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, CheckpointError> {
        let checkpoint = Self::open_manifest(path)?;
        for (name, entry) in &checkpoint.manifest.files {
            verify(&checkpoint.path.join(name), entry)?;
        }
        Ok(checkpoint)
    }

    /// Reads and verifies the manifest alone, since damaged files may not be needed. Files are verified
    /// by [`verified`](Self::verified).
    ///
    /// # Errors
    /// Fails if the manifest is missing, damaged or of a newer format.
    pub fn open_manifest(path: impl Into<PathBuf>) -> Result<Self, CheckpointError> {
        let path = path.into();
        let manifest = Manifest::read(&path)?;
        let manifest_path = path.join(MANIFEST);
        if let Some(step) = step_of(&path).filter(|step| *step != manifest.step) {
            return Err(CheckpointError::Damaged {
                path: manifest_path,
                reason: format!("expected step {step}, found step {}", manifest.step),
            });
        }
        let mut bytes = manifest_path
            .metadata()
            .context("read", &manifest_path)?
            .len();
        bytes += manifest
            .files
            .values()
            .map(|entry| entry.bytes)
            .sum::<u64>();
        Ok(Self {
            path,
            manifest,
            bytes,
        })
    }

    /// Returns the checkpoint's directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the step at which it was saved.
    pub fn step(&self) -> u64 {
        self.manifest.step
    }

    /// Returns the metadata with which it was saved.
    pub fn metadata(&self) -> &Value {
        &self.manifest.metadata
    }

    /// Returns the size in bytes of all its files and its manifest.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Iterates over the names of its files, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.manifest.files.keys().map(String::as_str)
    }

    /// Returns the path of the file of this name.
    ///
    /// # Errors
    /// Fails if the checkpoint has no file of this name.
    pub fn file(&self, name: &str) -> Result<PathBuf, CheckpointError> {
        self.entry(name).map(|_| self.path.join(name))
    }

    /// Returns the path of the file of this name after verifying its length and SHA-256.
    ///
    /// # Errors
    /// Fails if the checkpoint has no file of this name, or if it is missing, unreadable or has changed.
    pub fn verified(&self, name: &str) -> Result<PathBuf, CheckpointError> {
        let path = self.path.join(name);
        verify(&path, self.entry(name)?)?;
        Ok(path)
    }

    /// Returns whether another file has the content with which the file of this name was written.
    pub fn is_copy(&self, name: &str, other: &Path) -> bool {
        let entry = self.manifest.files.get(name);
        entry.is_some_and(|entry| verify(other, entry).is_ok())
    }

    fn entry(&self, name: &str) -> Result<&FileEntry, CheckpointError> {
        let entry = self.manifest.files.get(name);
        entry.ok_or_else(|| CheckpointError::NoSuchFile {
            path: self.path.clone(),
            name: name.to_owned(),
            present: self.names().map(str::to_owned).collect(),
        })
    }
}

fn verify(path: &Path, expected: &FileEntry) -> Result<(), CheckpointError> {
    let found = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(CheckpointError::MissingFile {
                path: path.to_path_buf(),
            });
        }
        other => other.context("read", path)?,
    };
    // Reading a pipe in place of a file would block forever.
    if !found.is_file() {
        return Err(CheckpointError::Damaged {
            path: path.to_path_buf(),
            reason: "it is not a file".to_owned(),
        });
    }
    if found.len() != expected.bytes {
        return Err(CheckpointError::WrongLength {
            path: path.to_path_buf(),
            expected: expected.bytes,
            found: found.len(),
        });
    }
    let sha256 = sha256_of_file(path).context("read", path)?;
    if sha256 != expected.sha256 {
        return Err(CheckpointError::WrongChecksum {
            path: path.to_path_buf(),
            expected: expected.sha256.clone(),
            found: sha256,
        });
    }
    Ok(())
}
