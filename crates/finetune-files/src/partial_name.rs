//! The names of unfinished files and directories.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Prefix of the names of directories that are being written, and of files in checkpoints of earlier
/// versions.
pub const PARTIAL: &str = ".partial-";

/// Suffix of the names of files that are being written. These names begin with a dot.
pub(crate) const SUFFIX: &str = ".partial";

/// Returns whether a name is that of an unfinished file or directory of this version or an earlier
/// one.
pub fn is_partial(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    bytes.starts_with(PARTIAL.as_bytes())
        || (bytes.starts_with(b".") && bytes.ends_with(SUFFIX.as_bytes()))
}

/// Returns the beginning of the temporary name for `place`: `start` and the name.
pub(crate) fn prefix(start: &str, place: &Path) -> OsString {
    let mut prefix = OsString::from(start);
    if let Some(name) = place.file_name() {
        // The name has to leave room for a random suffix.
        let name = name.to_string_lossy();
        let short: String = name.chars().take(40).collect();
        prefix.push(short);
        prefix.push("-");
    }
    prefix
}

/// Returns the directory that contains a path.
pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_names_are_recognized_and_others_are_not() {
        for name in [
            ".partial-model-a1b2c3",
            ".partial-best.json",
            ".a1b2c3.partial",
            ".predictions-x.partial",
        ] {
            assert!(is_partial(OsStr::new(name)), "{name}");
        }
        for name in ["model", "data.partial", "partial-1", ".lock"] {
            assert!(
                !is_partial(OsStr::new(name)) || name == ".partial",
                "{name}"
            );
        }
        let mut made = prefix(PARTIAL, Path::new("runs/a/model"));
        made.push("x");
        assert_eq!(made, ".partial-model-x");
        assert!(is_partial(&made));
    }

    #[test]
    fn a_bare_name_is_in_the_current_directory() {
        assert_eq!(directory_of(Path::new("a")), Path::new("."));
        assert_eq!(directory_of(Path::new("a/b")), Path::new("a"));
        assert_eq!(directory_of(Path::new("/b")), Path::new("/"));
    }
}
