//! Downloads a file of a repository on the hub into the cache.

use serde::{Deserialize, Serialize};

use crate::answer::ask;
use crate::blob::IncompleteBlob;
use crate::cache::RepositoryCache;
use crate::checksum::Checksum;
use crate::client::Client;
use crate::error::{HubError, IoContext};
use crate::progress::Report;
use crate::repository::Repository;
use crate::transfer::{Transfer, refusal};

/// A file as listed by the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RemoteFile {
    /// Name in the repository, including folders.
    pub path: String,
    /// Size in bytes, if the hub states it.
    pub size: Option<u64>,
    /// Expected checksum, if the hub states it: 64 (SHA-256) or 40 (git) hex digits.
    pub checksum: Option<String>,
}

impl RemoteFile {
    pub(crate) fn checksum(&self) -> Option<Checksum> {
        Checksum::parse(self.checksum.as_deref()?)
    }
}

/// Downloads a file into the cache unless it is there, and returns its checksum.
pub(crate) fn fetch(
    client: &Client,
    cache: &RepositoryCache,
    repository: &Repository,
    commit: &str,
    remote: &RemoteFile,
    report: Report<'_>,
) -> Result<Checksum, HubError> {
    let file = remote.path.as_str();
    let url = client.file_url(repository, commit, file);
    let checksum = match remote.checksum() {
        Some(checksum) => checksum,
        None => ask_checksum(client, repository, file, &url, report)?,
    };
    let blob = cache.blob(&checksum);
    if blob.is_file() {
        if checksum.of_same_kind(&blob).context("read", &blob)? == checksum {
            return Ok(checksum);
        }
        // It has been damaged since it was downloaded.
        std::fs::remove_file(&blob).context("remove", &blob)?;
    }
    if let Some(incomplete) = IncompleteBlob::open(&blob, report)? {
        let transfer = Transfer {
            client,
            repository,
            file,
            url,
            checksum,
            size: remote.size,
        };
        transfer.run(incomplete, report)?;
        return Ok(transfer.checksum);
    }
    Ok(checksum)
}

/// Reads the checksum of a file from the headers of a request for its first byte, for hubs whose
/// list of files has none.
fn ask_checksum(
    client: &Client,
    repository: &Repository,
    file: &str,
    url: &str,
    report: Report<'_>,
) -> Result<Checksum, HubError> {
    let reply = ask(client, url, Some("bytes=0-0"), report)?;
    if !matches!(reply.status, 200 | 206) {
        return Err(refusal(
            client,
            repository,
            &format!("file {file}"),
            url,
            &reply,
        ));
    }
    reply.checksum.ok_or_else(|| HubError::Transfer {
        url: url.to_string(),
        reason: "the hub states no checksum for it (no SHA-256 in its list of files, nor in X-Linked-ETag or ETag), so it cannot be trusted".to_string(),
    })
}
