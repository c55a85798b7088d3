//! One file over HTTP: goes on where it broke off, and takes only what matches its checksum.

use std::io::{ErrorKind, Read, Write};

use crate::blob::IncompleteBlob;
use crate::checksum::Checksum;
use crate::client::{Client, Failure, Reply};
use crate::error::{HubError, IoContext};
use crate::progress::{Progress, Report};

/// A file to download.
#[derive(Debug)]
pub(crate) struct Transfer<'a> {
    pub client: &'a Client,
    /// Repository, for messages.
    pub model: &'a str,
    /// File name in the repository.
    pub file: &'a str,
    /// Where it is.
    pub url: String,
    /// What it must hash to.
    pub checksum: Checksum,
    /// Its size, where the hub says.
    pub size: Option<u64>,
}

/// How one request for content ended.
enum Outcome {
    Complete,
    /// To be tried again: why, how long the hub asks to wait, and whether bytes were gained.
    Again {
        reason: String,
        asked: Option<std::time::Duration>,
        gained: bool,
    },
}

impl Transfer<'_> {
    /// Downloads into `blob` and puts it in place once the checksum fits.
    pub(crate) fn run(&self, mut blob: IncompleteBlob, report: Report<'_>) -> Result<(), HubError> {
        // Bytes from an earlier call may be stale: if the whole does not fit, one more try from 0.
        let mut is_continued = blob.length()? > 0;
        loop {
            self.fetch(&mut blob, report)?;
            match blob.mismatch(&self.checksum)? {
                None => return blob.finish(),
                Some(_) if is_continued => {
                    is_continued = false;
                    blob.clear()?;
                }
                Some(found) => {
                    blob.discard();
                    return Err(HubError::WrongChecksum {
                        file: self.url.clone(),
                        expected: self.checksum.to_string(),
                        found: found.to_string(),
                        advice:
                            "Nothing was kept; try again, or check what is between you and the hub"
                                .into(),
                    });
                }
            }
        }
    }

    fn fetch(&self, blob: &mut IncompleteBlob, report: Report<'_>) -> Result<(), HubError> {
        let mut attempt = 0;
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
                    gained,
                } => {
                    attempt = if gained { 1 } else { attempt + 1 };
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
            gained: false,
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
        };
        let total = match reply.status {
            206 => match content_range(&reply) {
                Some((start, total)) if start == here => total,
                _ => {
                    blob.clear()?;
                    return Ok(again(
                        "the hub sent another part than asked for".to_string(),
                    ));
                }
            },
            // The whole file, because that was asked for or the server knows no ranges.
            200 => {
                blob.clear()?;
                reply
                    .header("content-length")
                    .and_then(|length| length.parse().ok())
            }
            416 => {
                blob.clear()?;
                return Ok(again("the hub refuses to go on from here".to_string()));
            }
            status if reply.is_temporary() => {
                let asked = reply.retry_after();
                let reason = format!("the hub answers {status}");
                return Ok(Outcome::Again {
                    reason,
                    asked,
                    gained: false,
                });
            }
            _ => {
                return Err(refusal(
                    self.client,
                    self.model,
                    self.file,
                    &self.url,
                    &reply,
                ));
            }
        };
        self.receive(reply, blob, self.size.or(total), report)
    }

    fn receive(
        &self,
        reply: Reply,
        blob: &mut IncompleteBlob,
        total: Option<u64>,
        report: Report<'_>,
    ) -> Result<Outcome, HubError> {
        let start = blob.length()?;
        let mut done = start;
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
            gained: done > start,
        })
    }
}

/// Start and total of `Content-Range: bytes start-end/total`.
fn content_range(reply: &Reply) -> Option<(u64, Option<u64>)> {
    let (range, total) = reply
        .header("content-range")?
        .strip_prefix("bytes ")?
        .split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()))
}

/// The error for an answer that no repetition will change. `what` is a file or a revision.
pub(crate) fn refusal(
    client: &Client,
    model: &str,
    what: &str,
    url: &str,
    reply: &Reply,
) -> HubError {
    let endpoint = client.endpoint.clone();
    let name = model.to_string();
    match reply.status {
        status @ (401 | 403) => {
            let terms = format!("accept its terms on {endpoint}/{name}");
            let advice = if client.has_token {
                format!(
                    "The token that was sent (HF_TOKEN or the token file) has no access: {terms}, or use another token"
                )
            } else {
                format!(
                    "Check the spelling; if the model is private or gated, {terms} and set HF_TOKEN to a token that may read it (or run `hf auth login`)"
                )
            };
            let detail = reply.header("x-error-message");
            let detail = detail
                .map(|message| format!(": {message}"))
                .unwrap_or_default();
            HubError::Unauthorized {
                name,
                endpoint,
                status,
                detail,
                advice,
            }
        }
        404 => {
            let what = match reply.header("x-error-code") {
                Some("RepoNotFound") => format!("model \"{name}\""),
                _ => format!("model \"{name}\" with {what}"),
            };
            HubError::NotFound { endpoint, what }
        }
        status => HubError::Transfer {
            url: url.to_string(),
            reason: format!("the hub answers {status}"),
        },
    }
}
