//! `manifest.json`, the list of a checkpoint's files, with checksums of them and of itself.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{CheckpointError, IoContext};
use crate::file_name;
use crate::hashing::sha256_of;

/// File name of a checkpoint's manifest.
pub const MANIFEST: &str = "manifest.json";

/// The checkpoint format that this version writes, and the newest that it reads.
pub const FORMAT: u64 = 1;

const WRITTEN_BY: &str = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));

/// The placeholder for the manifest's own checksum while that is computed.
const NO_CHECKSUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) format: u64,
    /// The SHA-256 of the manifest with zeros for these 64 digits.
    manifest_sha256: String,
    written_by: String,
    pub(crate) step: u64,
    pub(crate) files: BTreeMap<String, FileEntry>,
    pub(crate) metadata: Value,
}

/// The size and checksum of a file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FileEntry {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

/// The fields that the manifests of all formats have.
#[derive(Deserialize)]
struct Header {
    format: u64,
    written_by: Option<String>,
}

impl Manifest {
    pub(crate) fn new(step: u64, files: BTreeMap<String, FileEntry>, metadata: Value) -> Self {
        Self {
            format: FORMAT,
            manifest_sha256: NO_CHECKSUM.to_owned(),
            written_by: WRITTEN_BY.to_owned(),
            step,
            files,
            metadata,
        }
    }

    /// Returns the manifest's text, including its own checksum.
    pub(crate) fn to_text(&self) -> io::Result<String> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        // The first run of zeros is the field's: only a number precedes it.
        Ok(text.replacen(NO_CHECKSUM, &sha256_of(text.as_bytes()), 1))
    }

    /// Reads and verifies the manifest of a checkpoint, but not the files that it lists.
    pub(crate) fn read(checkpoint: &Path) -> Result<Self, CheckpointError> {
        let path = checkpoint.join(MANIFEST);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && checkpoint.is_dir() => {
                return Err(CheckpointError::NoManifest {
                    path: checkpoint.to_path_buf(),
                });
            }
            other => other.context("read", &path)?,
        };
        let damaged = |reason: String| CheckpointError::Damaged {
            path: path.clone(),
            reason,
        };
        let text = String::from_utf8(bytes).map_err(|error| damaged(error.to_string()))?;
        // The format is checked first, since a newer manifest may look different.
        let header: Header =
            serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if header.format > FORMAT {
            return Err(CheckpointError::NewerFormat {
                path: checkpoint.to_path_buf(),
                format: header.format,
                written_by: header.written_by,
            });
        }
        if header.format == 0 {
            return Err(damaged("there is no format 0".to_owned()));
        }
        let manifest: Self =
            serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        manifest.verify_text(&text).map_err(damaged)?;
        for name in manifest.files.keys() {
            file_name::check(name).map_err(|error| damaged(error.to_string()))?;
        }
        Ok(manifest)
    }

    fn verify_text(&self, text: &str) -> Result<(), String> {
        let expected = &self.manifest_sha256;
        let found = sha256_of(text.replacen(expected, NO_CHECKSUM, 1).as_bytes());
        if expected.len() == NO_CHECKSUM.len() && *expected == found {
            return Ok(());
        }
        Err(format!(
            "expected its SHA-256 to be \"{expected}\" (with zeros for these digits), found {found}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Manifest {
        let entry = FileEntry {
            bytes: 3,
            sha256: sha256_of(b"abc"),
        };
        let files = BTreeMap::from([("a".to_owned(), entry)]);
        Manifest::new(
            7,
            files,
            serde_json::json!({"loss": 0.1, "zeros": NO_CHECKSUM}),
        )
    }

    #[test]
    fn no_flipped_bit_goes_unseen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(MANIFEST);
        let text = example().to_text().unwrap();
        fs::write(&path, &text).unwrap();
        assert_eq!(Manifest::read(folder.path()).unwrap().step, 7);
        for bit in 0..text.len() * 8 {
            let mut bytes = text.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &bytes).unwrap();
            assert!(Manifest::read(folder.path()).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn names_that_lead_out_are_refused_though_the_checksum_is_right() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["../secret", "/etc/passwd", "a/../../b"] {
            let mut manifest = example();
            let entry = manifest.files.remove("a").unwrap();
            manifest.files.insert(name.to_owned(), entry);
            fs::write(folder.path().join(MANIFEST), manifest.to_text().unwrap()).unwrap();
            let message = Manifest::read(folder.path()).unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
            assert!(message.contains("is damaged"), "{message}");
        }
    }

    #[test]
    fn a_newer_manifest_says_so_though_nothing_else_of_it_is_understood() {
        let folder = tempfile::tempdir().unwrap();
        let text = r#"{"format": 2, "written_by": "finetune-checkpoint 9.1.0", "shards": []}"#;
        fs::write(folder.path().join(MANIFEST), text).unwrap();
        let message = Manifest::read(folder.path()).unwrap_err().to_string();
        assert!(
            message.ends_with(
                " was written by a newer version, finetune-checkpoint 9.1.0 \
                 (format 2, this program reads up to 1); update finetune"
            ),
            "{message}"
        );
    }
}
