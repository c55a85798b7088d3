//! Standard output, or a file that appears when it is complete.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use crate::{
    error::Failure,
    output::{cannot_write, print},
};

/// Standard output, or a file written beside its place.
pub enum Out {
    Standard,
    File {
        file: BufWriter<File>,
        partial: PathBuf,
        path: PathBuf,
    },
}

impl Out {
    pub fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else {
            return Ok(Self::Standard);
        };
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(".partial");
        let partial = path.with_file_name(name);
        let file = File::create(&partial).map_err(|error| cannot_write(path, &error))?;
        Ok(Self::File {
            file: BufWriter::new(file),
            partial,
            path: path.into(),
        })
    }

    pub fn write(&mut self, text: &str) -> Result<(), Failure> {
        match self {
            // Each batch is shown when it is done.
            Self::Standard => print(text),
            Self::File { file, path, .. } => file
                .write_all(text.as_bytes())
                .map_err(|error| cannot_write(path, &error)),
        }
    }

    pub fn finish(mut self) -> Result<(), Failure> {
        let Self::File {
            file,
            partial,
            path,
        } = &mut self
        else {
            return Ok(());
        };
        file.flush()
            .and_then(|()| file.get_ref().sync_all())
            .and_then(|()| std::fs::rename(&partial, &path))
            .map_err(|error| cannot_write(path, &error))
    }
}

impl Drop for Out {
    /// What was not finished leaves nothing.
    fn drop(&mut self) {
        if let Self::File { partial, .. } = self {
            let _ = std::fs::remove_file(partial);
        }
    }
}
