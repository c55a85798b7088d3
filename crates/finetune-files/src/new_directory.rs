//! Directories that appear either complete or not at all.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{FileError, IoContext};
use crate::leftovers::remove_abandoned;
use crate::locked_file::is_at;
use crate::partial_name::{PARTIAL, directory_of, prefix};
use crate::steps;
use crate::sync::{sync_directory, sync_tree};

/// Creates a directory with the content that `fill` writes. It is filled under a temporary name,
/// synced with everything in it and renamed, and its parent is synced; `fill` need not sync
/// anything. Nothing may exist at `place`.
///
/// # Errors
/// The error of `fill` or of the system. Nothing is left then.
pub fn publish_directory<E: From<FileError>>(
    place: &Path,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let directory = NewDirectory::beside(place)?;
    fill(directory.path())?;
    Ok(directory.publish()?)
}

/// A directory being filled under a temporary name. If dropped before it is renamed, it is removed
/// with everything in it.
#[derive(Debug)]
pub struct NewDirectory {
    directory: TempDir,
    place: PathBuf,
    sealed: bool,
    /// Says that somebody is writing here, until the process ends in any way.
    _lock: Option<File>,
}

impl NewDirectory {
    /// Creates an empty temporary directory for `place` in the same parent, and removes those that killed
    /// processes left there for the same place.
    ///
    /// # Errors
    /// Fails if the parent does not exist or cannot be written to.
    pub fn beside(place: &Path) -> Result<Self, FileError> {
        remove_abandoned(place);
        let mut builder = tempfile::Builder::new();
        let prefix = prefix(PARTIAL, place);
        builder.prefix(&prefix);
        // The permissions of an ordinary new directory, minus those that the umask removes.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o777));
        }
        loop {
            let directory = builder.tempdir_in(directory_of(place));
            let directory = directory.context("write", place)?;
            // Not every system can lock a directory.
            let lock = File::open(directory.path()).ok();
            let is_locked = lock.as_ref().map(File::try_lock);
            let lock = lock.filter(|_| matches!(is_locked, Some(Ok(()))));
            // Otherwise another process took it for abandoned before it was locked.
            let is_free = !matches!(is_locked, Some(Err(TryLockError::WouldBlock)));
            let is_ours = |lock: &File| is_at(lock, directory.path());
            if is_free && lock.as_ref().is_none_or(is_ours) {
                return Ok(Self {
                    directory,
                    place: place.to_path_buf(),
                    sealed: false,
                    _lock: lock,
                });
            }
        }
    }

    /// Returns the temporary path.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Syncs all files and directories in it, after which nothing should be written to it. For
    /// callers with something to do between this and [`publish`](Self::publish).
    ///
    /// # Errors
    /// Fails if the disk fails or is full.
    pub fn seal(&mut self) -> Result<(), FileError> {
        sync_tree(self.path())?;
        self.sealed = true;
        steps::done("directory sealed", &self.place);
        Ok(())
    }

    /// Renames the directory to its place, where nothing may exist, and syncs the parent.
    ///
    /// # Errors
    /// Fails if the disk fails or is full, or if the place is taken. No temporary directory is left
    /// then.
    pub fn publish(mut self) -> Result<(), FileError> {
        if !self.sealed {
            self.seal()?;
        }
        fs::rename(self.path(), &self.place).context("write", &self.place)?;
        // The temporary directory no longer exists under its old name.
        let _ = self.directory.keep();
        steps::done("directory renamed", &self.place);
        sync_directory(directory_of(&self.place))
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::ErrorKind;
    use crate::partial_name::is_partial;
    use crate::steps::seam::{ABORT, recorded};

    fn write(path: PathBuf, content: &str) -> Result<(), FileError> {
        fs::write(&path, content).context("write", &path)
    }

    fn count(directory: &Path) -> usize {
        fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn all_that_is_in_it_is_synced_before_it_is_renamed_and_the_parent_after() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("model");
        let steps = recorded(|| {
            publish_directory(&place, |partial| {
                fs::create_dir(partial.join("inner")).context("create", partial)?;
                write(partial.join("inner/b"), "b")?;
                write(partial.join("a"), "a")
            })
            .unwrap();
        });
        let steps: Vec<_> = steps.iter().map(|(step, _)| *step).collect();
        let files = steps.iter().filter(|step| **step == "file synced").count();
        assert_eq!(files, 2);
        assert_eq!(
            steps[steps.len() - 4..],
            [
                "directory synced",
                "directory sealed",
                "directory renamed",
                "directory synced"
            ]
        );
        // The inner directory, the outer one and the parent.
        let synced = steps.iter().filter(|step| **step == "directory synced");
        assert_eq!(synced.count(), 3);
        assert_eq!(fs::read(place.join("inner/b")).unwrap(), b"b");
        assert_eq!(count(folder.path()), 1);
    }

    #[test]
    fn an_error_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("model");
        let error = publish_directory(&place, |partial| {
            write(partial.join("a"), "a")?;
            Err::<(), _>(FileError::new(
                "write",
                partial,
                io::ErrorKind::StorageFull.into(),
            ))
        })
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Environment);
        assert_eq!(count(folder.path()), 0);
        drop(NewDirectory::beside(&place).unwrap());
        assert_eq!(count(folder.path()), 0);
    }

    #[test]
    fn what_is_in_its_place_stays() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("model");
        fs::create_dir(&place).unwrap();
        fs::write(place.join("mine"), "").unwrap();
        let error = publish_directory(&place, |partial| write(partial.join("a"), "a"));
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Input);
        assert!(place.join("mine").exists() && !place.join("a").exists());
        assert_eq!(count(folder.path()), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_killed_processes_left_for_the_same_place_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("model");
        let living = NewDirectory::beside(&place).unwrap();
        let others = [
            ".partial-model-2-a1B2c3",
            ".partial-model-x",
            ".partial-other-a1B2c3",
        ];
        let dead = folder.path().join(".partial-model-a1B2c3");
        for name in others
            .iter()
            .map(|name| folder.path().join(name))
            .chain([dead.clone()])
        {
            fs::create_dir(&name).unwrap();
            fs::write(name.join("weights"), "half").unwrap();
        }
        publish_directory(&place, |partial| write(partial.join("a"), "a")).unwrap();
        assert!(!dead.exists());
        assert!(living.path().exists());
        for name in others {
            assert!(folder.path().join(name).exists(), "{name}");
        }
        assert!(place.join("a").exists());
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_those_of_a_plainly_made_directory() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (plain, ours) = (folder.path().join("plain"), folder.path().join("ours"));
        fs::create_dir(&plain).unwrap();
        publish_directory(&ours, |_| Ok::<_, FileError>(())).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }

    #[cfg(unix)]
    #[test]
    fn a_killed_publication_leaves_no_place_or_a_whole_one() {
        const FOLDER: &str = "FINETUNE_FILES_FOLDER";
        if let Some(folder) = std::env::var_os(FOLDER) {
            let place = Path::new(&folder).join("model");
            publish_directory(&place, |partial| write(partial.join("a"), "a")).unwrap();
            return;
        }
        for (step, is_there) in [
            ("file synced", false),
            ("directory synced", false),
            ("directory sealed", false),
            ("directory renamed", true),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let place = folder.path().join("model");
            let child = std::process::Command::new(std::env::current_exe().unwrap())
                .args([
                    "--exact",
                    "new_directory::tests::a_killed_publication_leaves_no_place_or_a_whole_one",
                ])
                .env(FOLDER, folder.path())
                .env(ABORT, step)
                .output()
                .unwrap();
            use std::os::unix::process::ExitStatusExt;
            assert!(child.status.signal().is_some(), "{step}: {child:?}");
            assert_eq!(place.join("a").exists(), is_there, "{step}");
            assert_eq!(place.exists(), is_there, "{step}");
            let left = fs::read_dir(folder.path())
                .unwrap()
                .next()
                .unwrap()
                .unwrap();
            assert_eq!(is_partial(&left.file_name()), !is_there, "{step}");
        }
    }
}
