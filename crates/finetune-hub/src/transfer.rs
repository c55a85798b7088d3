//! Downloads a file over HTTP, continuing where it broke off, and accepts only content that matches
//! its checksum.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use crate::blob::IncompleteBlob;
use crate::checksum::Checksum;
use crate::client::{Client, Failure, Reply};
use crate::error::{HubError, IoContext};
use crate::progress::{Progress, Report};
use crate::repository::Repository;

/// A file to download.
#[derive(Debug)]
pub(crate) struct Transfer<'a> {
    pub client: &'a Client,
    /// The repository, for messages.
    pub repository: &'a Repository,
    /// File name in the repository.
    pub file: &'a str,
    /// Address of the file.
    pub url: String,
    /// Expected checksum.
    pub checksum: Checksum,
    /// Size in bytes, if the hub states it.
    pub size: Option<u64>,
}

/// The first bytes of a Git LFS pointer.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1";

/// The outcome of a request for content.
enum Outcome {
    Complete,
    /// The request should be repeated: why, how long the hub asks to wait, and how many bytes had
    /// arrived.
    Again {
        reason: String,
        asked: Option<std::time::Duration>,
        reached: u64,
    },
}

impl Transfer<'_> {
    /// Downloads into `blob` and moves it to its final path once the checksum matches.
    pub(crate) fn run(&self, mut blob: IncompleteBlob, report: Report<'_>) -> Result<(), HubError> {
        // Bytes from an earlier call may be stale. If the whole does not match, start once more
        // from 0.
        let mut is_continued = blob.length()? > 0;
        loop {
            if let Err(error) = self.fetch(&mut blob, report) {
                if blob.length()? == 0 {
                    blob.discard();
                }
                return Err(error);
            }
            match blob.mismatch(&self.checksum)? {
                None => return blob.finish(),
                Some(_) if is_continued => {
                    is_continued = false;
                    blob.clear()?;
                }
                Some(_) if is_lfs_pointer(blob.path()) => {
                    blob.discard();
                    return Err(HubError::LfsPointer {
                        file: self.url.clone(),
                    });
                }
                Some(found) => {
                    blob.discard();
                    return Err(self.damaged(self.checksum.to_string(), found.to_string()));
                }
            }
        }
    }

    fn fetch(&self, blob: &mut IncompleteBlob, report: Report<'_>) -> Result<(), HubError> {
        let mut attempt = 0;
        // The most bytes so far: a hub that sends the same bytes over and over makes no progress.
        let mut most = blob.length()?;
        loop {
            let here = blob.length()?;
            match self.size {
                Some(size) if here == size => return Ok(()),
                Some(size) if here > size => blob.clear()?,
                _ => {}
            }
            match self.request(blob, report)? {
                Outcome::Complete => return Ok(()),
                Outcome::Again {
                    reason,
                    asked,
                    reached,
                } => {
                    attempt = if reached > most { 1 } else { attempt + 1 };
                    most = most.max(reached);
                    let reason = format!("{}: {reason}", self.file);
                    self.client
                        .wait(attempt, &reason, asked, report)
                        .map_err(|reason| HubError::Transfer {
                            url: self.url.clone(),
                            reason,
                        })?;
                }
            }
        }
    }

    fn request(&self, blob: &mut IncompleteBlob, report: Report<'_>) -> Result<Outcome, HubError> {
        let here = blob.length()?;
        let again = |reason: String| Outcome::Again {
            reason,
            asked: None,
            reached: 0,
        };
        let range = format!("bytes={here}-");
        let reply = match self
            .client
            .get(&self.url, (here > 0).then_some(range.as_str()))
        {
            Ok(reply) => reply,
            Err(Failure::Unreachable(reason) | Failure::Broken(reason)) => {
                return Ok(again(reason));
            }
            Err(Failure::Invalid(reason)) => {
                return Err(HubError::Transfer {
                    url: self.url.clone(),
                    reason,
                });
            }
        };
        let total = match reply.status {
            206 => match content_range(&reply) {
                Some((start, total)) if start == here => total,
                _ => {
                    blob.clear()?;
                    return Ok(again(
                        "the hub sent a different part than requested".to_string(),
                    ));
                }
            },
            // The whole file, either because it was requested or because the server does not
            // support ranges.
            200 => {
                blob.clear()?;
                reply
                    .header("content-length")
                    .and_then(|length| length.parse().ok())
            }
            416 => {
                blob.clear()?;
                return Ok(again("the hub refuses to continue from here".to_string()));
            }
            status if reply.is_temporary() => {
                let asked = reply.retry_after();
                let reason = format!("the hub answers {status}");
                return Ok(Outcome::Again {
                    reason,
                    asked,
                    reached: 0,
                });
            }
            _ => {
                return Err(refusal(
                    self.client,
                    self.repository,
                    &format!("file {}", self.file),
                    &self.url,
                    &reply,
                ));
            }
        };
        if let (Some(listed), Some(total)) = (self.size, total)
            && listed != total
        {
            blob.clear()?;
            return Err(self.other_size(reply, listed, total));
        }
        self.receive(reply, blob, self.size.or(total), report)
    }

    fn damaged(&self, expected: String, found: String) -> HubError {
        HubError::WrongChecksum {
            file: self.url.clone(),
            expected,
            found,
            advice: "Nothing was kept; try again, or check for a proxy between you and the hub"
                .into(),
            is_download: true,
        }
    }

    /// The error for content whose size differs from the list of files.
    fn other_size(&self, reply: Reply, listed: u64, total: u64) -> HubError {
        let mut start = Vec::new();
        let mut body = reply.body.into_reader().take(POINTER.len() as u64);
        if body.read_to_end(&mut start).is_ok() && start == POINTER {
            return HubError::LfsPointer {
                file: self.url.clone(),
            };
        }
        self.damaged(
            format!("{listed} bytes, by the hub's list of files"),
            format!("{total}"),
        )
    }

    fn receive(
        &self,
        reply: Reply,
        blob: &mut IncompleteBlob,
        total: Option<u64>,
        report: Report<'_>,
    ) -> Result<Outcome, HubError> {
        let mut done = blob.length()?;
        let mut reader = reply.body.into_reader();
        let mut buffer = vec![0; 128 * 1024];
        let mut tell = |done| {
            report(Progress::Bytes {
                file: self.file.to_string(),
                done,
                total,
            });
        };
        tell(done);
        let broken = loop {
            match reader.read(&mut buffer) {
                Ok(0) => break None,
                // There is no telling how much more would come.
                Ok(read) if total.is_some_and(|total| done + read as u64 > total) => {
                    blob.clear()?;
                    return Ok(Outcome::Again {
                        reason: "the hub sent more than it had announced".to_string(),
                        asked: None,
                        reached: 0,
                    });
                }
                Ok(read) => {
                    blob.file
                        .write_all(&buffer[..read])
                        .context("write", blob.path())?;
                    done += read as u64;
                    tell(done);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Some(error.to_string()),
            }
        };
        let reason = match (broken, total) {
            (Some(error), _) => error,
            (None, Some(total)) if done < total => "the connection was cut".to_string(),
            _ => return Ok(Outcome::Complete),
        };
        let reason = match total {
            Some(total) => format!("{reason} after {done} of {total} bytes"),
            None => format!("{reason} after {done} bytes"),
        };
        Ok(Outcome::Again {
            reason,
            asked: None,
            reached: done,
        })
    }
}

/// Returns whether a file is a pointer that Git keeps in place of a file in large-file storage.
pub(crate) fn is_lfs_pointer(path: &Path) -> bool {
    let mut start = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(POINTER.len() as u64).read_to_end(&mut start));
    read.is_ok() && start == POINTER
}

/// Parses start and total of `Content-Range: bytes start-end/total`.
fn content_range(reply: &Reply) -> Option<(u64, Option<u64>)> {
    let (range, total) = reply
        .header("content-range")?
        .strip_prefix("bytes ")?
        .split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()))
}

/// The error for an answer that repeating the request will not change. `what` is the file or the
/// revision.
pub(crate) fn refusal(
    client: &Client,
    repository: &Repository,
    what: &str,
    url: &str,
    reply: &Reply,
) -> HubError {
    let endpoint = client.endpoint.clone();
    match reply.status {
        status @ (401 | 403) => {
            let terms = format!("accept its terms on {}", client.page(repository));
            let advice = if client.has_token {
                format!(
                    "The token that was sent (HF_TOKEN or the token file) has no access: {terms}, or use another token"
                )
            } else {
                format!(
                    "Check the spelling; if the {} is private or gated, {terms} and set HF_TOKEN to a token that may read it (or run `hf auth login`)",
                    repository.noun()
                )
            };
            let detail = reply.header("x-error-message");
            let detail = detail
                .map(|message| format!(": {message}"))
                .unwrap_or_default();
            HubError::Unauthorized {
                name: repository.name.clone(),
                endpoint,
                status,
                detail,
                advice,
            }
        }
        404 => {
            let what = match reply.header("x-error-code") {
                Some("RepoNotFound") => repository.to_string(),
                _ => format!("{repository} with {what}"),
            };
            HubError::NotFound { endpoint, what }
        }
        status => HubError::Transfer {
            url: url.to_string(),
            reason: format!("the hub answers {status}"),
        },
    }
}
