//! The destination of predictions: standard output, a pipe or device, or a file that appears when it is
//! complete.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, ErrorKind, Write, stdout},
    path::{Path, PathBuf},
};

use finetune_files::NewFile;

use crate::{
    cli::interrupt,
    error::Failure,
    view::output::{cannot_write, say, written},
};

/// An output to write to.
pub enum Out {
    /// Standard output, flushed after each batch.
    Standard,
    /// A pipe or a device, which is written to directly.
    Stream { file: File, path: PathBuf },
    /// A file that is written under a temporary name beside its destination.
    File {
        file: BufWriter<NewFile>,
        path: PathBuf,
    },
}

impl Out {
    /// Opens standard output, or a new file, which must not exist. From here on, a signal no longer ends the
    /// program at once if there is a file to remove.
    ///
    /// # Errors
    /// Fails if the file exists or cannot be created.
    pub fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path.filter(|path| !is_standard(path)) else {
            if is_discarded() {
                say!(
                    "note: standard output is closed or discarded, so predictions are lost; name a file with --output"
                );
            }
            return Ok(Self::Standard);
        };
        if path.symlink_metadata().is_ok() {
            if !is_stream(path) {
                return Err(Failure::User(format!(
                    "{} already exists and is not overwritten; choose another --output",
                    path.display()
                )));
            }
            say!(
                "note: {} is a pipe or a device; writing waits for its reader",
                path.display()
            );
            let file = OpenOptions::new().append(true).open(path);
            return Ok(Self::Stream {
                file: file.map_err(|error| cannot_write(path, &error))?,
                path: path.into(),
            });
        }
        let parent = path.parent().filter(|parent| *parent != Path::new(""));
        if let Some(parent) = parent.filter(|parent| !parent.is_dir()) {
            return Err(Failure::User(format!(
                "cannot write {}: there is no directory {}; create it first, or choose another --output",
                path.display(),
                parent.display()
            )));
        }
        // Set before the file is created, because a signal just afterwards would leave it behind.
        interrupt::at_once(false);
        let file = NewFile::beside(path)?;
        Ok(Self::File {
            file: BufWriter::new(file),
            path: path.into(),
        })
    }

    /// Writes text, and flushes it unless it goes to a file.
    ///
    /// # Errors
    /// Fails if the output cannot be written to.
    pub fn text(&mut self, text: &str) -> Result<(), Failure> {
        let done = self.write_all(text.as_bytes()).and_then(|()| match self {
            Self::File { .. } => Ok(()),
            _ => self.flush(),
        });
        self.check(done)
    }

    /// Completes the output.
    ///
    /// # Errors
    /// Fails if the output cannot be written to, or if the file has appeared in the meantime.
    pub fn finish(mut self) -> Result<(), Failure> {
        let flushed = self.flush();
        self.check(flushed)?;
        let Self::File { file, path } = self else {
            return Ok(());
        };
        let file = file.into_inner().map_err(|error| error.into_error());
        let file = file.map_err(|error| cannot_write(&path, &error))?;
        match file.create() {
            Ok(_) => Ok(()),
            Err(error) if error.source.kind() == ErrorKind::AlreadyExists => {
                Err(Failure::User(format!(
                    "{} has appeared in the meantime and is not overwritten; choose another --output",
                    path.display()
                )))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn check(&self, done: io::Result<()>) -> Result<(), Failure> {
        match self {
            Self::Standard => written(done),
            Self::Stream { path, .. } | Self::File { path, .. } => {
                done.map_err(|error| cannot_write(path, &error))
            }
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Standard => stdout().write(bytes),
            Self::Stream { file, .. } => file.write(bytes),
            Self::File { file, .. } => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard => stdout().flush(),
            Self::Stream { file, .. } => file.flush(),
            Self::File { file, .. } => file.flush(),
        }
    }
}

/// Returns whether standard output is the null device opened for reading and writing, as it is if it was
/// closed when the program was started. A deliberate `>/dev/null` only writes.
fn is_discarded() -> bool {
    #[cfg(unix)]
    {
        use rustix::fs::{OFlags, fcntl_getfl, fstat};
        use std::os::unix::fs::MetadataExt;
        let out = stdout();
        let reads = fcntl_getfl(&out).is_ok_and(|flags| flags.contains(OFlags::RDWR));
        let null = std::fs::metadata("/dev/null").map(|null| null.rdev());
        reads
            && fstat(&out)
                .is_ok_and(|found| null.is_ok_and(|null| null == found.st_rdev && null != 0))
    }
    #[cfg(not(unix))]
    false
}

/// Returns whether a path names standard output.
fn is_standard(path: &Path) -> bool {
    path == Path::new("-") || path == Path::new("/dev/stdout")
}

/// Returns whether a path leads to a pipe or a device, which can be written to but not replaced.
fn is_stream(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = path.metadata().map(|metadata| metadata.file_type());
        kind.is_ok_and(|kind| kind.is_fifo() || kind.is_char_device())
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}
