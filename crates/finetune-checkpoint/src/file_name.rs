//! The rule for names of files in a checkpoint. It holds for writing and for reading a manifest, so
//! that no manifest leads out of its directory.

use crate::error::CheckpointError;
use crate::manifest::MANIFEST;

/// Refuses a name that is not a plain relative path with `/` between its parts.
pub(crate) fn check(name: &str) -> Result<(), CheckpointError> {
    match broken_rule(name) {
        None => Ok(()),
        Some(reason) => Err(CheckpointError::BadName {
            name: name.to_owned(),
            reason,
        }),
    }
}

fn broken_rule(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is empty");
    }
    if name.starts_with('/') {
        return Some("it is absolute");
    }
    // These mean a drive, a stream or a separator on Windows, and checkpoints may move between systems.
    if name.contains(['\\', ':', '\0']) {
        return Some("it contains a backslash, a colon or a zero byte");
    }
    if name
        .split('/')
        .any(|part| part.is_empty() || part == "." || part == "..")
    {
        return Some("one of its parts is empty, \".\" or \"..\"");
    }
    if name.eq_ignore_ascii_case(MANIFEST) {
        return Some("the checkpoint's own manifest is called that");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_allowed() {
        for name in [
            "state.json",
            "model/model.safetensors",
            "a/manifest.json",
            ".hidden",
            "..x",
            "ü",
        ] {
            assert!(check(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [
            "",
            "/etc/passwd",
            "..",
            "../x",
            "a/../../x",
            "a//x",
            "a/",
            "./x",
            "..\\x",
            "C:x",
            "a\0",
            "manifest.json",
            "Manifest.JSON",
        ] {
            assert!(check(name).is_err(), "{name}");
        }
    }
}
