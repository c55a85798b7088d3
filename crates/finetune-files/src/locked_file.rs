//! Files that only one owner at a time can have open.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::error::{FileError, IoContext};

/// Opens `path` for reading and appending, creating it if necessary, and locks it. The lock ends
/// when the file is closed, also by a crash. While somebody else holds it, `busy` returns how long
/// to wait before the next attempt; if it returns `None`, so does this function.
///
/// A symbolic link at `path` is rejected, since whoever created it would choose the file to be
/// written. Where the file system has no locks (such as some network file systems), the file is
/// returned without one.
///
/// # Errors
/// Fails if the file cannot be opened or locked.
pub fn open_locked(
    path: &Path,
    mut busy: impl FnMut() -> Option<Duration>,
) -> Result<Option<File>, FileError> {
    loop {
        let mut options = OpenOptions::new();
        options.create(true).append(true).read(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            let flag = rustix::fs::OFlags::NOFOLLOW.bits();
            options.custom_flags(flag.cast_signed());
        }
        let file = options.open(path).context("open", path)?;
        match file.try_lock() {
            // Otherwise the last holder renamed or removed the file while we waited for it.
            Ok(()) if is_at(&file, path) => return Ok(Some(file)),
            Ok(()) => {}
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                return Ok(Some(file));
            }
            Err(TryLockError::Error(error)) => return Err(error).context("lock", path),
            Err(TryLockError::WouldBlock) => match busy() {
                Some(pause) => thread::sleep(pause),
                None => return Ok(None),
            },
        }
    }
}

/// Returns whether `path` still leads to this file.
#[cfg(unix)]
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let (ours, there) = (
        file.metadata().map(identity),
        fs::symlink_metadata(path).map(identity),
    );
    matches!((ours, there), (Ok(ours), Ok(there)) if ours == there)
}

/// On other systems, an open file keeps its name.
#[cfg(not(unix))]
pub(crate) fn is_at(_file: &File, path: &Path) -> bool {
    path.is_file()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_second_owner_waits_until_the_first_one_removes_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let first = open_locked(&path, || None).unwrap().unwrap();
        assert!(open_locked(&path, || None).unwrap().is_none());
        let mut first = Some(first);
        let second = open_locked(&path, || {
            fs::remove_file(&path).ok();
            first = None;
            Some(Duration::ZERO)
        });
        let mut second = second.unwrap().unwrap();
        second.write_all(b"mine").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "kept").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        open_locked(&link, || None).unwrap_err();
        assert_eq!(fs::read(&target).unwrap(), b"kept");
    }
}
