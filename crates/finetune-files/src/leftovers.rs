//! Removes unfinished files that killed processes left behind.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::partial_name::{PARTIAL, directory_of, is_partial, prefix};

/// An unfinished file of this age has been abandoned.
const OLD: Duration = Duration::from_secs(86_400);

/// The number of random characters at the end of the name of an unfinished directory.
const RANDOM: usize = 6;

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

/// Removes the unfinished directories for `place` that no living process is writing, as far as that can be seen:
/// those that can be locked.
pub(crate) fn remove_abandoned(place: &Path) {
    let start = prefix(PARTIAL, place);
    for entry in fs::read_dir(directory_of(place))
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name();
        let random = name
            .as_encoded_bytes()
            .strip_prefix(start.as_encoded_bytes());
        let is_for_place = random.is_some_and(|random| {
            random.len() == RANDOM && random.iter().all(u8::is_ascii_alphanumeric)
        });
        if !is_for_place || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let lock = File::open(entry.path());
        if lock.as_ref().is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(entry.path());
        }
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
