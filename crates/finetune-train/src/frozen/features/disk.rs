//! Features in an unnamed temporary file, which disappears with the process, however it ends.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use crate::TrainError;

/// Floats in a file, read and written at any position from any number of threads.
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

    /// Writes values starting at float `first`, in native byte order, since no other program reads the
    /// file.
    pub(super) fn write(&self, values: &[f32], first: u64) -> Result<(), TrainError> {
        write_all_at(&self.file, bytemuck::cast_slice(values), 4 * first)
            .map_err(failed(&self.directory))
    }

    /// Reads values starting at float `first`.
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
pub(crate) fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
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
pub(crate) fn read_exact_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_read_at_any_position() {
        let directory = tempfile::tempdir().unwrap();
        let floats = DiskFloats::create(directory.path()).unwrap();
        floats.write(&[4.0, 5.0], 4).unwrap();
        floats.write(&[-0.0, f32::MIN_POSITIVE], 0).unwrap();
        let mut found = [1.0; 2];
        for (first, expected) in [
            (0, [-0.0, f32::MIN_POSITIVE]),
            (2, [0.0; 2]),
            (4, [4.0, 5.0]),
        ] {
            floats.read(&mut found, first).unwrap();
            assert_eq!(found.map(f32::to_bits), expected.map(f32::to_bits));
        }
        assert!(floats.read(&mut found, 5).is_err());
        // The file has no name.
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    /// Uses the system's own error for a full disk.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_named_with_what_to_set() {
        let full = DiskFloats {
            file: File::options().write(true).open("/dev/full").unwrap(),
            directory: "runs/reviews-1".into(),
        };
        let error = full.write(&[1.0; 4], 0).unwrap_err().to_string();
        for words in [
            "runs/reviews-1",
            "No space left",
            "feature_cache.disk_bytes=0",
        ] {
            assert!(error.contains(words), "{error}");
        }
    }
}
