//! The hub route: what a model consists of, its files one by one, and the snapshot at the end.

use std::io::Read;
use std::path::PathBuf;

use serde::Deserialize;

use crate::blob::IncompleteBlob;
use crate::cache::{ModelCache, is_file_name};
use crate::checksum::Checksum;
use crate::client::{Client, Failure};
use crate::error::{HubError, IoContext};
use crate::files::{self, OPTIONAL};
use crate::progress::Report;
use crate::transfer::{Transfer, refusal};
use crate::weights;

/// The list of a model's files is refused beyond this size, in bytes.
const LONGEST_LISTING: u64 = 32 << 20;

/// What `GET /api/models/{name}/revision/{revision}?blobs=true` answers, as far as needed.
#[derive(Debug, Deserialize)]
struct Listing {
    /// The commit of the revision.
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<LargeFile>,
}

#[derive(Debug, Deserialize)]
struct LargeFile {
    sha256: String,
    size: u64,
}

impl Sibling {
    fn checksum(&self) -> Option<Checksum> {
        match &self.lfs {
            Some(large) => Checksum::parse(&large.sha256),
            None => Checksum::parse(self.blob_id.as_deref()?),
        }
    }

    fn size(&self) -> Option<u64> {
        self.lfs.as_ref().map(|large| large.size).or(self.size)
    }
}

/// Downloads a model's files into the cache and returns the commit.
pub(crate) fn fetch(
    client: &Client,
    cache: &ModelCache,
    name: &str,
    revision: &str,
    report: Report<'_>,
) -> Result<String, HubError> {
    let listing = list(client, name, revision, report)?;
    let find = |file: &str| {
        listing
            .siblings
            .iter()
            .find(|sibling| sibling.rfilename == file)
    };
    let place = format!("model \"{name}\" on {}", client.endpoint);
    files::check_complete(&place, |file| find(file).is_some())?;

    let mut blobs = Vec::new();
    let mut fetch = |file: &str| -> Result<PathBuf, HubError> {
        let sibling = find(file).ok_or_else(|| HubError::Incomplete {
            place: place.clone(),
            missing: file.to_string(),
            advice: "",
        })?;
        let checksum = fetch_file(client, cache, name, &listing.sha, sibling, report)?;
        let blob = cache.blob(&checksum);
        blobs.push((file.to_string(), checksum));
        Ok(blob)
    };
    // The weights first: if they are refused, nothing else has been written.
    let weights = weights::form(|file| find(file).is_some());
    let fetched = weights.into_iter().try_for_each(|weights| {
        let file = fetch(weights)?;
        if weights::is_index(weights) {
            for shard in weights::shards(&file)? {
                fetch(&shard)?;
            }
        }
        Ok(())
    });
    let others = std::iter::once("config.json").chain(OPTIONAL);
    let others = others.filter(|file| find(file).is_some());
    let fetched = fetched.and_then(|()| {
        let mut others = others;
        others.try_for_each(|file| fetch(file).map(drop))
    });
    if let Err(error) = fetched {
        cache.remove_empty_folders();
        return Err(error);
    }
    cache.install(&listing.sha, revision, &blobs)?;
    Ok(listing.sha)
}

fn fetch_file(
    client: &Client,
    cache: &ModelCache,
    name: &str,
    commit: &str,
    sibling: &Sibling,
    report: Report<'_>,
) -> Result<Checksum, HubError> {
    let file = sibling.rfilename.as_str();
    let url = client.file_url(name, commit, file);
    let checksum = match sibling.checksum() {
        Some(checksum) => checksum,
        None => ask_checksum(client, name, file, &url, report)?,
    };
    let blob = cache.blob(&checksum);
    if blob.is_file() {
        if checksum.of_same_kind(&blob).context("read", &blob)? == checksum {
            return Ok(checksum);
        }
        // Damaged since it was downloaded.
        std::fs::remove_file(&blob).context("remove", &blob)?;
    }
    if let Some(incomplete) = IncompleteBlob::open(&blob, report)? {
        let transfer = Transfer {
            client,
            model: name,
            file,
            url,
            checksum,
            size: sibling.size(),
        };
        transfer.run(incomplete, report)?;
        return Ok(transfer.checksum);
    }
    Ok(checksum)
}

/// The checksum of one file from the headers of a request for its first byte, for hubs whose list
/// of files has none.
fn ask_checksum(
    client: &Client,
    name: &str,
    file: &str,
    url: &str,
    report: Report<'_>,
) -> Result<Checksum, HubError> {
    let reply = ask(client, url, Some("bytes=0-0"), report)?;
    if !matches!(reply.status, 200 | 206) {
        return Err(refusal(client, name, &format!("file {file}"), url, &reply));
    }
    reply.checksum.ok_or_else(|| HubError::Transfer {
        url: url.to_string(),
        reason: "the hub states no checksum for it (no SHA-256 in its list of files, nor in X-Linked-ETag or ETag), so it cannot be trusted".to_string(),
    })
}

fn list(
    client: &Client,
    name: &str,
    revision: &str,
    report: Report<'_>,
) -> Result<Listing, HubError> {
    let url = client.info_url(name, revision);
    let broken = |reason: String| HubError::Transfer {
        url: url.clone(),
        reason,
    };
    let reply = ask(client, &url, None, report)?;
    if reply.status != 200 {
        return Err(refusal(
            client,
            name,
            &format!("revision \"{revision}\""),
            &url,
            &reply,
        ));
    }
    let mut text = String::new();
    reply
        .body
        .into_reader()
        .take(LONGEST_LISTING)
        .read_to_string(&mut text)
        .map_err(|error| broken(error.to_string()))?;
    let listing: Listing = serde_json::from_str(&text).map_err(|error| {
        broken(format!(
            "expected the hub's description of a model, found something else ({error})"
        ))
    })?;
    // The commit becomes the name of a folder.
    if !is_file_name(&listing.sha) {
        return Err(broken(format!("\"{}\" is not a commit", listing.sha)));
    }
    Ok(listing)
}

/// A request whose answer is small. Repeats it where the hub asks for time or the connection
/// breaks; a hub that cannot be reached is given up at once.
fn ask(
    client: &Client,
    url: &str,
    range: Option<&str>,
    report: Report<'_>,
) -> Result<crate::client::Reply, HubError> {
    let mut attempt = 0;
    loop {
        let (reason, asked) = match client.get(url, range) {
            Ok(reply) if reply.is_temporary() => (
                format!("the hub answers {}", reply.status),
                reply.retry_after(),
            ),
            Ok(reply) => return Ok(reply),
            Err(Failure::Unreachable(reason)) => {
                return Err(HubError::Unreachable {
                    endpoint: client.endpoint.clone(),
                    reason,
                });
            }
            Err(Failure::Broken(reason)) => (reason, None),
        };
        attempt += 1;
        client
            .wait(attempt, &reason, asked, report)
            .map_err(|reason| HubError::Transfer {
                url: url.to_string(),
                reason,
            })?;
    }
}
