//! The first route: a directory named by the user.

use std::fs;
use std::path::Path;

use crate::checksum::{Checksum, sha256};
use crate::error::{HubError, IoContext};
use crate::files::{self, FoundModel, Source};

/// Checks that a directory has everything a model needs.
pub(crate) fn open(name: &str, dir: &Path) -> Result<FoundModel, HubError> {
    let place = format!("the model directory {}", dir.display());
    files::check_complete(&place, |file| dir.join(file).is_file())?;
    Ok(FoundModel {
        name: name.to_string(),
        dir: dir.to_path_buf(),
        source: Source::Local,
        revision: None,
    })
}

/// Hashes a file of a directory's weights and compares it with the file of the same name with
/// `.sha256` appended (as `sha256sum` writes it), if there is one.
pub(crate) fn verify(dir: &Path, file: &str) -> Result<String, HubError> {
    let weights = dir.join(file);
    let weights_sha256 = sha256(&weights).context("read", &weights)?;
    let listed = dir.join(format!("{file}.sha256"));
    if listed.is_file() {
        let text = fs::read_to_string(&listed).context("read", &listed)?;
        let expected = text.split_whitespace().next().and_then(Checksum::parse);
        let found = Checksum::Sha256(weights_sha256.clone());
        if expected.as_ref() != Some(&found) {
            let expected = match expected {
                Some(checksum) => checksum.to_string(),
                None => "a SHA-256 of 64 hex digits".to_string(),
            };
            return Err(HubError::WrongChecksum {
                file: weights.display().to_string(),
                expected: format!("{expected} (from {})", listed.display()),
                found: found.to_string(),
                advice: "Copy the weights again, or remove the .sha256 file if it is out of date"
                    .to_string(),
                is_download: false,
            });
        }
    }
    Ok(weights_sha256)
}
