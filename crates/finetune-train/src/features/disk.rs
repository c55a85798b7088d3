//! Features in a temporary file that has no name: it is gone when the process is, however it ends.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use crate::TrainError;

/// Floats in a file, read and written at any place, from any number of threads.
#[derive(Debug)]
pub(super) struct DiskFloats {
    file: File,
    directory: PathBuf,
}

impl DiskFloats {
    pub(super) fn create(directory: &Path) -> Result<Self, TrainError> {
        let file = tempfile::tempfile_in(directory).map_err(failed(directory))?;
        Ok(Self {
            file,
            directory: directory.into(),
        })
    }

    /// Writes from float `first` on. In the machine's byte order: nobody else reads the file.
    pub(super) fn write(&self, values: &[f32], first: u64) -> Result<(), TrainError> {
        write_all_at(&self.file, bytemuck::cast_slice(values), 4 * first)
            .map_err(failed(&self.directory))
    }

    /// Reads from float `first` on.
    pub(super) fn read(&self, values: &mut [f32], first: u64) -> Result<(), TrainError> {
        read_exact_at(&self.file, bytemuck::cast_slice_mut(values), 4 * first)
            .map_err(failed(&self.directory))
    }
}

fn failed(directory: &Path) -> impl FnOnce(io::Error) -> TrainError + '_ {
    move |source| TrainError::FeatureDisk {
        directory: directory.into(),
        source,
    }
}

#[cfg(unix)]
use std::os::unix::fs::FileExt;

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(bytes, offset)
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    file.read_exact_at(bytes, offset)
}

#[cfg(windows)]
use std::os::windows::fs::FileExt;

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.seek_write(bytes, offset)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => {
                bytes = &bytes[count..];
                offset += count as u64;
            }
        }
    }
    Ok(())
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.seek_read(bytes, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                bytes = &mut bytes[count..];
                offset += count as u64;
            }
        }
    }
    Ok(())
}
