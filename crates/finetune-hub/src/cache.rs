//! The Hugging Face cache: `models--organisation--name/{blobs,refs,snapshots}`, and `datasets--…`.
//!
//! A blob is a file named by its checksum, a snapshot is a folder of links to blobs named by its
//! commit, and a ref is a file that holds the commit of a branch. Python's libraries read what is
//! written here, and vice versa.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use finetune_files::{publish_directory, remove_leftovers, replace_file};
use hf_hub::{Cache, CacheRepo};

use crate::checksum::{Checksum, sha256};
use crate::error::{HubError, IoContext};
use crate::files;
use crate::remote_file::RemoteFile;
use crate::repository::Repository;
use crate::tree::is_inside;

/// The part of the cache that belongs to one repository.
#[derive(Debug)]
pub(crate) struct RepositoryCache {
    repo: CacheRepo,
    /// `models--organisation--name`, or `datasets--…`.
    root: PathBuf,
}

/// What the cache holds of a revision.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cached {
    /// Every needed file.
    Complete {
        /// Folder of the snapshot.
        dir: PathBuf,
        /// Name of the snapshot.
        commit: String,
    },
    /// A snapshot that lacks the files listed.
    Partial(Vec<&'static str>),
    /// No snapshot.
    Absent,
}

impl RepositoryCache {
    pub(crate) fn new(cache: &Path, repository: &Repository) -> Self {
        let root = cache.join(repository.folder_name());
        Self {
            repo: Cache::new(cache.to_path_buf()).repo(repository.at("main")),
            root,
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the path of the content with this checksum.
    pub(crate) fn blob(&self, checksum: &Checksum) -> PathBuf {
        self.repo.blob_path(checksum.hex())
    }

    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.repo.pointer_path(commit)
    }

    /// Returns folder and commit of the snapshot of a branch, tag or commit, whatever it contains.
    pub(crate) fn snapshot_of(&self, revision: &str) -> Option<(PathBuf, String)> {
        let commit = match fs::read_to_string(self.root.join("refs").join(revision)) {
            Ok(commit) => commit.trim().to_string(),
            Err(_) => revision.to_string(),
        };
        let dir = self.snapshot(&commit);
        (is_file_name(&commit) && dir.is_dir()).then_some((dir, commit))
    }

    /// Looks up the snapshot of a model at a branch, tag or commit.
    pub(crate) fn find(&self, revision: &str) -> Cached {
        let Some((dir, commit)) = self.snapshot_of(revision) else {
            return Cached::Absent;
        };
        let missing = files::missing_in(&dir);
        if missing.is_empty() {
            Cached::Complete { dir, commit }
        } else {
            Cached::Partial(missing)
        }
    }

    /// Creates the snapshot `commit` with links to `blobs` (file name, checksum) and points the
    /// branch or tag `revision` at it. A new snapshot appears atomically.
    pub(crate) fn install(
        &self,
        commit: &str,
        revision: &str,
        blobs: &[(String, Checksum)],
    ) -> Result<PathBuf, HubError> {
        let snapshot = self.snapshot(commit);
        if snapshot.is_dir() {
            self.link_all(&snapshot, blobs)?;
        } else {
            let snapshots = self.root.join("snapshots");
            fs::create_dir_all(&snapshots).context("create", &snapshots)?;
            remove_leftovers(&snapshots);
            let made = publish_directory(&snapshot, |partial| self.link_all(partial, blobs));
            match made {
                // Another process was faster.
                Err(_) if snapshot.is_dir() => self.link_all(&snapshot, blobs)?,
                made => made?,
            }
        }
        if revision != commit {
            self.write_ref(revision, commit)?;
        }
        Ok(snapshot)
    }

    fn link_all(&self, snapshot: &Path, blobs: &[(String, Checksum)]) -> Result<(), HubError> {
        fs::create_dir_all(snapshot).context("create", snapshot)?;
        for (file, checksum) in blobs {
            let link = snapshot.join(file);
            // `exists` follows the link, so a dangling one is recreated.
            if link.exists() {
                continue;
            }
            if let Some(parent) = link.parent() {
                fs::create_dir_all(parent).context("create", parent)?;
            }
            let depth = Path::new(file).components().count() + 1;
            let mut target: PathBuf = std::iter::repeat_n("..", depth).collect();
            target.extend(["blobs", checksum.hex()]);
            let _ = fs::remove_file(&link);
            link_file(&target, &self.blob(checksum), &link).context("create", &link)?;
        }
        Ok(())
    }

    fn write_ref(&self, revision: &str, commit: &str) -> Result<(), HubError> {
        write_whole(&self.root.join("refs").join(revision), commit.as_bytes())
    }

    /// Returns the files of a commit as [`keep_list`](Self::keep_list) stored them; `None` if it
    /// did not, as for Python's downloads.
    pub(crate) fn list(&self, commit: &str) -> Option<Vec<RemoteFile>> {
        let text = fs::read(self.list_path(commit)).ok()?;
        let files: Vec<RemoteFile> = serde_json::from_slice(&text).ok()?;
        files
            .iter()
            .all(|file| is_inside(&file.path))
            .then_some(files)
    }

    /// Stores the list of a commit's files where Python does not look. Without it, there would be
    /// no way to tell offline whether a snapshot has all files of a split.
    pub(crate) fn keep_list(&self, commit: &str, files: &[RemoteFile]) -> Result<(), HubError> {
        let text = serde_json::to_vec(files).unwrap_or_default();
        write_whole(&self.list_path(commit), &text)
    }

    fn list_path(&self, commit: &str) -> PathBuf {
        self.root.join("lists").join(format!("{commit}.json"))
    }

    /// Removes the empty folders that a rejected download leaves behind.
    pub(crate) fn remove_empty_folders(&self) {
        for folder in ["blobs", "snapshots", "refs", "lists", ""] {
            // Fails on a folder with content, as it should.
            let _ = fs::remove_dir(self.root.join(folder));
        }
    }
}

/// Writes a small file atomically.
fn write_whole(path: &Path, content: &[u8]) -> Result<(), HubError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).context("create", parent)?;
    }
    Ok(replace_file(path, |file| file.write_all(content))?)
}

/// Hashes a file of a snapshot's weights and compares it with the checksum in its name in the
/// cache.
pub(crate) fn verify(snapshot: &Path, file: &str) -> Result<String, HubError> {
    let weights = snapshot.join(file);
    let weights_sha256 = sha256(&weights).context("read", &weights)?;
    if let Some(expected) = named_checksum(&weights) {
        let found = match &expected {
            Checksum::Sha256(_) => Checksum::Sha256(weights_sha256.clone()),
            Checksum::GitBlob(_) => Checksum::git_blob(&weights).context("read", &weights)?,
        };
        if found != expected {
            let blob = weights.canonicalize().unwrap_or(weights);
            return Err(HubError::WrongChecksum {
                file: blob.display().to_string(),
                expected: expected.to_string(),
                found: found.to_string(),
                advice: "Remove this file, and it is downloaded again".to_string(),
                is_download: false,
            });
        }
    }
    Ok(weights_sha256)
}

/// Returns the checksum by which the cache names a file of a snapshot; `None` if the snapshot has a
/// plain file, as on systems without links.
fn named_checksum(file: &Path) -> Option<Checksum> {
    let target = fs::read_link(file).ok()?;
    let name = target.file_name()?.to_str()?;
    (target.parent()?.file_name()? == "blobs").then(|| Checksum::parse(name))?
}

/// Returns whether an untrusted name is a plain file name that cannot lead to another folder.
pub(crate) fn is_file_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

#[cfg(unix)]
fn link_file(relative: &Path, _blob: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(relative, link)
}

/// Without permission to create links, the snapshot gets the file itself, as in huggingface_hub.
#[cfg(not(unix))]
fn link_file(_relative: &Path, blob: &Path, link: &Path) -> io::Result<()> {
    fs::hard_link(blob, link).or_else(|_| fs::copy(blob, link).map(|_| ()))
}
