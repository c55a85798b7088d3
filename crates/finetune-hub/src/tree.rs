//! Fetches the list of a data set's files, which the hub returns in pages.

use std::collections::HashSet;

use serde::Deserialize;

use crate::answer::json;
use crate::cache::is_file_name;
use crate::client::Client;
use crate::error::HubError;
use crate::progress::Report;
use crate::remote_file::RemoteFile;
use crate::repository::Repository;

/// Maximum number of files in a repository.
const MOST_FILES: usize = 1_000_000;

/// A repository at a commit.
#[derive(Debug)]
pub(crate) struct Tree {
    pub commit: String,
    pub files: Vec<RemoteFile>,
}

/// The part of the answer to `GET /api/datasets/{name}/revision/{revision}` that is needed.
#[derive(Debug, Deserialize)]
struct Info {
    sha: String,
}

/// An entry in the answer to `GET /api/datasets/{name}/tree/{commit}?recursive=true`.
#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    size: Option<u64>,
    oid: Option<String>,
    lfs: Option<LargeFile>,
}

#[derive(Debug, Deserialize)]
struct LargeFile {
    oid: String,
    size: u64,
}

/// Requests the files of a revision: a branch, tag or commit.
pub(crate) fn ask_tree(
    client: &Client,
    repository: &Repository,
    revision: &str,
    report: Report<'_>,
) -> Result<Tree, HubError> {
    let what = format!("revision \"{revision}\"");
    let url = client.info_url(repository, revision);
    let (info, _): (Info, _) = json(client, repository, &what, &url, report)?;
    // The commit becomes the name of a folder.
    if !is_file_name(&info.sha) {
        return Err(HubError::Transfer {
            url,
            reason: format!("\"{}\" is not a commit", info.sha),
        });
    }
    let mut files = Vec::new();
    let mut asked = HashSet::new();
    let mut next = Some(client.tree_url(repository, &info.sha));
    while let Some(url) = next {
        let broken = |reason: String| HubError::Transfer {
            url: url.clone(),
            reason,
        };
        let (entries, after): (Vec<Entry>, _) = json(client, repository, &what, &url, report)?;
        for entry in entries {
            if entry.kind != "file" {
                continue;
            }
            if !is_inside(&entry.path) {
                return Err(broken(format!(
                    "the list of files has \"{}\", which is not a path inside a data set; nothing was taken from there",
                    entry.path
                )));
            }
            files.push(RemoteFile::from(entry));
        }
        if files.len() > MOST_FILES {
            return Err(broken(format!("the list has more than {MOST_FILES} files")));
        }
        if after
            .as_ref()
            .is_some_and(|after| *after == url || asked.contains(after))
        {
            return Err(broken("the pages of the list of files form a cycle".into()));
        }
        asked.insert(url);
        next = after;
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
    Ok(Tree {
        commit: info.sha,
        files,
    })
}

impl From<Entry> for RemoteFile {
    fn from(entry: Entry) -> Self {
        let (size, checksum) = match entry.lfs {
            Some(large) => (
                Some(large.size),
                Some(large.oid.trim_start_matches("sha256:").to_string()),
            ),
            None => (entry.size, entry.oid),
        };
        Self {
            path: entry.path,
            size,
            checksum,
        }
    }
}

/// Returns whether an untrusted path names a file below the folder that it is joined to, on any
/// system.
pub(crate) fn is_inside(path: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && part.len() <= 255
            && part != "."
            && part != ".."
            && !part.contains(['\\', ':'])
            && !part.contains(char::is_control)
    };
    path.split('/').all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_cannot_lead_outside() {
        for path in ["a", "a/b.csv", ".gitattributes", "a..b/c", "é/漢.csv"] {
            assert!(is_inside(path), "{path}");
        }
        for path in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a//b",
            "a/",
            ".",
            "a\\..\\b",
            "C:/x",
            "a\nb",
            "a\u{0}",
        ] {
            assert!(!is_inside(path), "{path:?}");
        }
    }
}
