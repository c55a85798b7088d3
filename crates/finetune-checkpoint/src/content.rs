//! What a checkpoint is made of: files that write themselves, and metadata.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde_json::Value;

use crate::error::CheckpointError;
use crate::file_name;
use crate::hashing::PIECE;

/// A file to be: its name, and how its bytes are produced, on whatever thread writes the checkpoint.
pub trait CheckpointFile: Send {
    /// Name in the checkpoint, such as `model.safetensors` or `tokenizer/vocab.txt`: relative, with
    /// `/` between its parts.
    fn name(&self) -> &str;

    /// Number of bytes that [`write`](Self::write) will produce, if known: for the message when the
    /// disk is full.
    fn size_hint(&self) -> Option<u64> {
        None
    }

    /// Writes all bytes to `out`, which buffers. Called once.
    ///
    /// # Errors
    ///
    /// An error of `out` should be handed on as it is; any error abandons the checkpoint.
    fn write(&mut self, out: &mut dyn Write) -> io::Result<()>;
}

/// Files and metadata of one checkpoint: a snapshot that owns what it needs.
///
/// Each file is dropped as soon as it is written, so a snapshot's memory shrinks meanwhile.
#[derive(Default)]
pub struct Content {
    /// The files, written in this order. Names must differ.
    pub files: Vec<Box<dyn CheckpointFile>>,
    /// Any JSON, kept in the manifest; floating-point numbers come back with the same bits.
    pub metadata: Value,
}

impl Content {
    /// Metadata, and no files yet.
    pub fn new(metadata: Value) -> Self {
        Self {
            files: Vec::new(),
            metadata,
        }
    }

    /// Adds a file.
    pub fn file(mut self, file: impl CheckpointFile + 'static) -> Self {
        self.files.push(Box::new(file));
        self
    }

    /// Adds a file of these bytes.
    pub fn bytes(self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        self.file(BytesFile {
            name: name.into(),
            bytes: bytes.into(),
        })
    }

    /// Adds a copy of a file, made when the checkpoint is written.
    pub fn copy(self, name: impl Into<String>, source: impl Into<PathBuf>) -> Self {
        self.file(CopiedFile {
            name: name.into(),
            source: source.into(),
        })
    }

    /// Adds a file that a closure writes; `size_hint` as in [`CheckpointFile::size_hint`].
    pub fn writer(
        self,
        name: impl Into<String>,
        size_hint: Option<u64>,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
    ) -> Self {
        self.file(WrittenFile {
            name: name.into(),
            size_hint,
            write: Some(write),
        })
    }

    /// The files' bytes together, if all of them know theirs.
    pub(crate) fn size_hint(&self) -> Option<u64> {
        self.files.iter().map(|file| file.size_hint()).sum()
    }

    /// Refuses names that lead elsewhere or occur twice.
    pub(crate) fn check_names(&self) -> Result<(), CheckpointError> {
        let mut names = BTreeSet::new();
        for file in &self.files {
            let name = file.name();
            file_name::check(name)?;
            if !names.insert(name) {
                return Err(CheckpointError::DuplicateName {
                    name: name.to_owned(),
                });
            }
        }
        Ok(())
    }
}

/// A file of bytes in memory.
pub struct BytesFile {
    /// Name in the checkpoint.
    pub name: String,
    /// The content.
    pub bytes: Vec<u8>,
}

impl CheckpointFile for BytesFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn size_hint(&self) -> Option<u64> {
        Some(self.bytes.len() as u64)
    }

    fn write(&mut self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.bytes)
    }
}

/// A copy of a file elsewhere, as it is when the checkpoint is written.
pub struct CopiedFile {
    /// Name in the checkpoint.
    pub name: String,
    /// The file to copy.
    pub source: PathBuf,
}

impl CheckpointFile for CopiedFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn size_hint(&self) -> Option<u64> {
        self.source.metadata().ok().map(|metadata| metadata.len())
    }

    fn write(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let unreadable = |error: io::Error| {
            let message = format!("cannot read {}: {error}", self.source.display());
            io::Error::new(error.kind(), message)
        };
        let mut source = File::open(&self.source).map_err(unreadable)?;
        let mut piece = vec![0; PIECE];
        loop {
            match source.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(read) => out.write_all(&piece[..read])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(error)),
            }
        }
    }
}

/// A file that a closure writes.
struct WrittenFile<F> {
    name: String,
    size_hint: Option<u64>,
    write: Option<F>,
}

impl<F: FnOnce(&mut dyn Write) -> io::Result<()> + Send> CheckpointFile for WrittenFile<F> {
    fn name(&self) -> &str {
        &self.name
    }

    fn size_hint(&self) -> Option<u64> {
        self.size_hint
    }

    fn write(&mut self, out: &mut dyn Write) -> io::Result<()> {
        match self.write.take() {
            Some(write) => write(out),
            None => Err(io::Error::other(
                "the file has been written before, and its content is gone",
            )),
        }
    }
}
