//! The content of a checkpoint: files that write themselves, and metadata.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde_json::Value;

use crate::error::CheckpointError;
use crate::file_name;
use crate::hashing::PIECE;

/// A future file of a checkpoint. Its bytes are produced on the thread that writes the checkpoint.
pub trait CheckpointFile: Send {
    /// Returns the name in the checkpoint, such as `model.safetensors` or `tokenizer/vocab.txt`: a
    /// relative path with `/` between its parts.
    fn name(&self) -> &str;

    /// Returns the number of bytes that [`write`](Self::write) will produce, if known. It is used in the
    /// message about a full disk.
    fn size_hint(&self) -> Option<u64> {
        None
    }

    /// Writes all bytes to `out`, which is buffered. It is called once.
    ///
    /// # Errors
    /// Errors of `out` should be returned unchanged. Any error aborts the checkpoint.
    fn write(&mut self, out: &mut dyn Write) -> io::Result<()>;
}

/// The files and metadata of a checkpoint: a snapshot that owns everything it needs.
///
/// Each file is dropped as soon as it is written, so that the snapshot's memory is freed step by step.
#[derive(Default)]
pub struct Content {
    /// The files, which are written in this order. Their names must differ.
    pub files: Vec<Box<dyn CheckpointFile>>,
    /// Arbitrary JSON for the manifest; floating-point numbers are read back with the same bits.
    pub metadata: Value,
}

impl Content {
    /// Creates a content with metadata and without files.
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

    /// Adds a file with these bytes.
    pub fn bytes(self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        self.file(BytesFile {
            name: name.into(),
            bytes: bytes.into(),
        })
    }

    /// Adds a copy of a file, which is read when the checkpoint is written.
    pub fn copy(self, name: impl Into<String>, source: impl Into<PathBuf>) -> Self {
        self.file(CopiedFile {
            name: name.into(),
            source: source.into(),
        })
    }

    /// Adds a file that a closure writes; for `size_hint` see [`CheckpointFile::size_hint`].
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

    /// Returns the total size of the files, if all of them know theirs.
    pub(crate) fn size_hint(&self) -> Option<u64> {
        self.files.iter().map(|file| file.size_hint()).sum()
    }

    /// Refuses names that lead out of the checkpoint or occur twice.
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

/// A file whose bytes are in memory.
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

/// A copy of another file, as it is when the checkpoint is written.
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
