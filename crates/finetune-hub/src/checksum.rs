//! Checksums that address content: SHA-256 for large files, git's blob SHA-1 for the others.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The expected hash of a file's content. The hub returns it as the file's ETag, and the cache
/// names the file by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Checksum {
    /// SHA-256 of the content, for files in large-file storage such as weights (64 hex digits).
    Sha256(String),
    /// SHA-1 of `blob {length}\0` and the content, for files in git itself (40 hex digits).
    GitBlob(String),
}

impl Checksum {
    /// Parses an ETag or the name of a file in the cache's `blobs`; returns `None` for anything
    /// else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let hex = text
            .trim()
            .trim_start_matches("W/")
            .trim_matches('"')
            .to_ascii_lowercase();
        if !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        match hex.len() {
            64 => Some(Self::Sha256(hex)),
            40 => Some(Self::GitBlob(hex)),
            _ => None,
        }
    }

    /// Returns the hex digits, which are also the blob's file name.
    pub(crate) fn hex(&self) -> &str {
        match self {
            Self::Sha256(hex) | Self::GitBlob(hex) => hex,
        }
    }

    /// Computes the checksum of this kind of a file.
    pub(crate) fn of_same_kind(&self, path: &Path) -> io::Result<Self> {
        match self {
            Self::Sha256(_) => sha256(path).map(Self::Sha256),
            Self::GitBlob(_) => Self::git_blob(path),
        }
    }

    /// Computes git's blob checksum of a file.
    pub(crate) fn git_blob(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let mut hasher = Sha1::new();
        hasher.update(format!("blob {}\0", file.metadata()?.len()));
        hash(file, hasher).map(Self::GitBlob)
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(hex) => write!(f, "SHA-256 {hex}"),
            Self::GitBlob(hex) => write!(f, "git blob SHA-1 {hex}"),
        }
    }
}

/// Computes the SHA-256 of a file's content as 64 hex digits, reading it in chunks.
pub(crate) fn sha256(path: &Path) -> io::Result<String> {
    hash(File::open(path)?, Sha256::new())
}

fn hash(mut file: File, mut hasher: impl Digest) -> io::Result<String> {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_sha256sum_and_git_hash_object() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hello");
        std::fs::write(&path, "hello\n").unwrap();
        assert_eq!(
            sha256(&path).unwrap(),
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
        );
        let git = Checksum::parse("ce013625030ba8dba906f756967f9e9ca394464a").unwrap();
        assert_eq!(git.of_same_kind(&path).unwrap(), git);
    }

    #[test]
    fn etags_are_parsed_by_their_length() {
        let sha = "AB".repeat(32);
        assert_eq!(
            Checksum::parse(&format!("W/\"{sha}\"")),
            Some(Checksum::Sha256(sha.to_lowercase()))
        );
        assert!(matches!(
            Checksum::parse(&"0".repeat(40)),
            Some(Checksum::GitBlob(_))
        ));
        assert_eq!(Checksum::parse("\"5f3-62\""), None);
        assert_eq!(Checksum::parse(&"g".repeat(64)), None);
    }
}
