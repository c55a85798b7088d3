//! Files that appear either complete or not at all.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{FileError, IoContext};
use crate::partial_name::{SUFFIX, directory_of, prefix};
use crate::steps;
use crate::sync::sync_directory;

/// Writes a file that replaces whatever is at `path`. The content is written to a temporary file in
/// the same directory, synced and renamed, and the directory is synced. A link at `path` is
/// replaced, not its target. Permissions are those of the replaced file or, without one, of a newly
/// created file.
///
/// # Errors
/// The error of `write` or of the system. `path` is then unchanged, and no temporary file is left.
pub fn replace_file(
    path: &Path,
    write: impl FnOnce(&mut NewFile) -> io::Result<()>,
) -> Result<(), FileError> {
    let mut file = NewFile::beside(path)?;
    write(&mut file).context("write", path)?;
    file.replace().map(drop)
}

/// Writes a file as [`replace_file`] does, but refuses to overwrite.
///
/// # Errors
/// The errors of [`replace_file`], and [`io::ErrorKind::AlreadyExists`] if `path` exists when the
/// file is complete.
pub fn create_file(
    path: &Path,
    write: impl FnOnce(&mut NewFile) -> io::Result<()>,
) -> Result<(), FileError> {
    let mut file = NewFile::beside(path)?;
    write(&mut file).context("write", path)?;
    file.create().map(drop)
}

/// Moves a file that was written under the name `from` to its final path `to`, replacing whatever
/// is there. This is for files with a fixed temporary name, such as downloads that continue after
/// an interruption. The file is synced before and the directory after the rename.
///
/// # Errors
/// Fails if the disk fails or is full, or if `to` cannot be written.
pub fn rename_file(file: &File, from: &Path, to: &Path) -> Result<(), FileError> {
    file.sync_all().context("write", from)?;
    steps::done("file synced", to);
    fs::rename(from, to).context("create", to)?;
    steps::done("file renamed", to);
    sync_directory(directory_of(to))
}

/// A file being written under a temporary name. If dropped before it is renamed, it is removed.
#[derive(Debug)]
pub struct NewFile {
    file: NamedTempFile,
    place: PathBuf,
}

impl NewFile {
    /// Creates a temporary file for `place` in the same directory.
    ///
    /// # Errors
    /// Fails if the directory does not exist or cannot be written to.
    pub fn beside(place: &Path) -> Result<Self, FileError> {
        let mut builder = tempfile::Builder::new();
        let prefix = prefix(".", place);
        builder.prefix(&prefix).suffix(SUFFIX);
        // The permissions of an ordinary new file, minus those that the umask removes.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(directory_of(place));
        Ok(Self {
            file: file.context("write", place)?,
            place: place.to_path_buf(),
        })
    }

    /// Returns the open file, for instance to read it back.
    pub fn as_file(&self) -> &File {
        self.file.as_file()
    }

    /// Returns the final path of the file.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Syncs the file and renames it into place, replacing any previous file, and returns it still
    /// open.
    ///
    /// # Errors
    /// Fails if the disk fails or is full, or if the place cannot be written. No temporary file is
    /// left then.
    pub fn replace(self) -> Result<File, FileError> {
        let found = fs::symlink_metadata(&self.place).ok();
        if let Some(found) = found.filter(fs::Metadata::is_file) {
            let as_before = self.file.as_file().set_permissions(found.permissions());
            as_before.context("write", &self.place)?;
        }
        self.named(|file, place| file.persist(place).map_err(|error| error.error))
    }

    /// Syncs and renames the file as [`replace`](Self::replace) does, but refuses to overwrite.
    ///
    /// # Errors
    /// The errors of [`replace`](Self::replace), and [`io::ErrorKind::AlreadyExists`].
    pub fn create(self) -> Result<File, FileError> {
        self.named(|file, place| file.persist_noclobber(place).map_err(|error| error.error))
    }

    /// Gives up the name: returns the open file, which vanishes when it is closed.
    ///
    /// # Errors
    /// Fails if the file cannot be opened again.
    pub fn unnamed(self) -> Result<File, FileError> {
        self.file.reopen().context("open", &self.place)
    }

    fn named(
        self,
        name: impl FnOnce(NamedTempFile, &Path) -> io::Result<File>,
    ) -> Result<File, FileError> {
        let Self { file, place } = self;
        steps::done("file written", &place);
        file.as_file().sync_all().context("write", &place)?;
        steps::done("file synced", &place);
        let file = name(file, &place).context("write", &place)?;
        steps::done("file renamed", &place);
        sync_directory(directory_of(&place))?;
        Ok(file)
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_file_mut().flush()
    }
}

impl Seek for NewFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.as_file_mut().seek(to)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::ErrorKind;
    use crate::partial_name::is_partial;
    use crate::steps::seam::{ABORT, recorded};

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_synced_before_it_is_renamed_and_its_directory_after() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let steps = recorded(|| replace_file(&path, |file| file.write_all(b"1")).unwrap());
        let expected = [
            ("file written", path.clone()),
            ("file synced", path.clone()),
            ("file renamed", path.clone()),
            ("directory synced", folder.path().to_path_buf()),
        ];
        assert_eq!(steps, expected);
        assert_eq!(fs::read(&path).unwrap(), b"1");
        replace_file(&path, |file| file.write_all(b"2")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"2");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn an_unnamed_file_can_be_read_and_leaves_nothing() {
        use std::io::Read;
        let folder = tempfile::tempdir().unwrap();
        let mut file = NewFile::beside(&folder.path().join("a")).unwrap();
        file.write_all(b"content").unwrap();
        let mut text = String::new();
        file.unnamed().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "content");
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_file_with_a_name_of_its_own_is_synced_before_and_its_directory_after() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a.incomplete"), folder.path().join("a"));
        let mut file = File::create(&from).unwrap();
        file.write_all(b"content").unwrap();
        let steps = recorded(|| rename_file(&file, &from, &to).unwrap());
        let steps: Vec<_> = steps.iter().map(|(step, _)| *step).collect();
        assert_eq!(steps, ["file synced", "file renamed", "directory synced"]);
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn nothing_is_overwritten_by_create() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        create_file(&path, |file| file.write_all(b"first")).unwrap();
        let error = create_file(&path, |file| file.write_all(b"second")).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(error.kind(), ErrorKind::Input);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn an_error_while_writing_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "before").unwrap();
        let error = replace_file(&path, |file| {
            file.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        })
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Environment);
        assert!(error.to_string().starts_with("cannot write "), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"before");
        assert_eq!(names(folder.path()), ["a"]);
        drop(NewFile::beside(&path).unwrap());
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn a_directory_that_is_not_there_is_the_users() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent/a");
        let error = replace_file(&path, |_| Ok(())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert_eq!(error.path, path);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_those_of_a_plainly_written_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |name: &str| {
            let metadata = fs::metadata(folder.path().join(name)).unwrap();
            metadata.permissions().mode() & 0o777
        };
        fs::write(folder.path().join("plain"), "").unwrap();
        replace_file(&folder.path().join("ours"), |_| Ok(())).unwrap();
        assert_eq!(mode("ours"), mode("plain"));
        let kept = fs::Permissions::from_mode(0o640);
        fs::set_permissions(folder.path().join("ours"), kept).unwrap();
        replace_file(&folder.path().join("ours"), |_| Ok(())).unwrap();
        assert_eq!(mode("ours"), 0o640);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_replaced_and_what_it_leads_to_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "kept").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        replace_file(&link, |file| file.write_all(b"new")).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"kept");
        assert_eq!(fs::read(&link).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_file());
    }

    /// A write killed at any step leaves the old content or the new one, and at most a file that is
    /// recognized as half-written.
    #[cfg(unix)]
    #[test]
    fn a_killed_write_leaves_the_old_or_the_new_file() {
        const FOLDER: &str = "FINETUNE_FILES_FOLDER";
        if let Some(folder) = std::env::var_os(FOLDER) {
            let path = Path::new(&folder).join("a");
            replace_file(&path, |file| file.write_all(b"new")).unwrap();
            return;
        }
        for (step, expected) in [
            ("file written", "old"),
            ("file synced", "old"),
            ("file renamed", "new"),
            ("directory synced", "new"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a");
            fs::write(&path, "old").unwrap();
            let child = Command::new(std::env::current_exe().unwrap())
                .args([
                    "--exact",
                    "new_file::tests::a_killed_write_leaves_the_old_or_the_new_file",
                ])
                .env(FOLDER, folder.path())
                .env(ABORT, step)
                .output()
                .unwrap();
            use std::os::unix::process::ExitStatusExt;
            assert!(child.status.signal().is_some(), "{step}: {child:?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), expected, "{step}");
            let left = names(folder.path());
            let others = left.iter().filter(|name| *name != "a");
            assert!(
                others.clone().all(|name| is_partial(name.as_ref())),
                "{left:?}"
            );
            assert_eq!(others.count(), usize::from(expected == "old"), "{step}");
        }
    }

    /// `/dev/full` behaves like a full disk.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_the_environments() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let error = replace_file(&path, |_| {
            File::options()
                .write(true)
                .open("/dev/full")?
                .write_all(b"x")
        })
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Environment);
        assert!(names(folder.path()).is_empty());
    }
}
