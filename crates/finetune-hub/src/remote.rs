//! The hub route: lists the files of a model, downloads them one by one and creates the snapshot.

use std::path::PathBuf;

use serde::Deserialize;

use crate::answer::json;
use crate::cache::{RepositoryCache, is_file_name};
use crate::client::Client;
use crate::error::HubError;
use crate::files::{self, OPTIONAL};
use crate::progress::Report;
use crate::remote_file::{self, RemoteFile};
use crate::repository::Repository;
use crate::weights;

/// The part of the answer to `GET /api/models/{name}/revision/{revision}?blobs=true` that is
/// needed.
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

impl From<&Sibling> for RemoteFile {
    fn from(sibling: &Sibling) -> Self {
        let large = sibling.lfs.as_ref();
        Self {
            path: sibling.rfilename.clone(),
            size: large.map(|large| large.size).or(sibling.size),
            checksum: match large {
                Some(large) => Some(large.sha256.clone()),
                None => sibling.blob_id.clone(),
            },
        }
    }
}

/// Downloads a model's files into the cache and returns the commit.
pub(crate) fn fetch(
    client: &Client,
    cache: &RepositoryCache,
    name: &str,
    revision: &str,
    report: Report<'_>,
) -> Result<String, HubError> {
    let repository = Repository::model(name);
    let listing = list(client, &repository, revision, report)?;
    let find = |file: &str| {
        listing
            .siblings
            .iter()
            .find(|sibling| sibling.rfilename == file)
    };
    let place = format!("{repository} on {}", client.endpoint);
    files::check_complete(&place, |file| find(file).is_some())?;

    let mut blobs = Vec::new();
    let mut fetch = |file: &str| -> Result<PathBuf, HubError> {
        let sibling = find(file).ok_or_else(|| HubError::Incomplete {
            place: place.clone(),
            missing: file.to_string(),
            advice: "",
        })?;
        let remote = RemoteFile::from(sibling);
        let checksum =
            remote_file::fetch(client, cache, &repository, &listing.sha, &remote, report)?;
        let blob = cache.blob(&checksum);
        blobs.push((file.to_string(), checksum));
        Ok(blob)
    };
    // The weights come first: if they are rejected, nothing else has been written.
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

fn list(
    client: &Client,
    repository: &Repository,
    revision: &str,
    report: Report<'_>,
) -> Result<Listing, HubError> {
    let url = format!("{}?blobs=true", client.info_url(repository, revision));
    let what = format!("revision \"{revision}\"");
    let (listing, _): (Listing, _) = json(client, repository, &what, &url, report)?;
    // The commit becomes the name of a folder.
    match is_file_name(&listing.sha) {
        true => Ok(listing),
        false => Err(HubError::Transfer {
            url,
            reason: format!("\"{}\" is not a commit", listing.sha),
        }),
    }
}
