//! Removes unfinished files that killed processes left behind.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::partial_name::is_partial;

/// An unfinished file of this age has been abandoned.
const OLD: Duration = Duration::from_secs(86_400);

/// Removes unfinished files and directories of killed processes from a directory that several
/// processes may write to, once they are a day old. This is only housekeeping: whatever cannot be
/// removed costs nothing but space.
pub fn remove_leftovers(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let age = || {
            let modified = entry.metadata().ok()?.modified().ok()?;
            SystemTime::now().duration_since(modified).ok()
        };
        if !is_partial(&entry.file_name()) || age().is_none_or(|age| age < OLD) {
            continue;
        }
        let _ = match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            true => fs::remove_dir_all(entry.path()),
            false => fs::remove_file(entry.path()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_old_and_half_written_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let old = SystemTime::now() - 2 * OLD;
        for (name, is_old) in [
            (".partial-a-x", true),
            (".tokens-x.partial", true),
            (".partial-b-x", false),
            ("tokens", true),
        ] {
            let file = fs::File::create(folder.path().join(name)).unwrap();
            if is_old {
                file.set_modified(old).unwrap();
            }
        }
        remove_leftovers(folder.path());
        let mut left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, [".partial-b-x", "tokens"]);
    }
}
