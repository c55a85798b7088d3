//! Requests with small answers, repeated patiently.

use std::io::Read;

use serde::de::DeserializeOwned;

use crate::client::{Client, Failure, Reply};
use crate::error::HubError;
use crate::progress::Report;
use crate::repository::Repository;
use crate::transfer::refusal;

/// Maximum size of an answer in bytes.
const LONGEST_ANSWER: u64 = 32 << 20;

/// Requests `url`, repeating the request if the hub asks for time or the connection breaks. A hub
/// that cannot be reached is given up immediately.
pub(crate) fn ask(
    client: &Client,
    url: &str,
    range: Option<&str>,
    report: Report<'_>,
) -> Result<Reply, HubError> {
    let transfer = |reason: String| HubError::Transfer {
        url: url.to_string(),
        reason,
    };
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
            Err(Failure::Invalid(reason)) => return Err(transfer(reason)),
            Err(Failure::Broken(reason)) => (reason, None),
        };
        attempt += 1;
        client
            .wait(attempt, &reason, asked, report)
            .map_err(transfer)?;
    }
}

/// Requests JSON about `what` (such as `revision "main"`) of a repository. Returns it with the
/// address of the next page, if there is one.
pub(crate) fn json<T: DeserializeOwned>(
    client: &Client,
    repository: &Repository,
    what: &str,
    url: &str,
    report: Report<'_>,
) -> Result<(T, Option<String>), HubError> {
    let broken = |reason: String| HubError::Transfer {
        url: url.to_string(),
        reason,
    };
    let reply = ask(client, url, None, report)?;
    if reply.status != 200 {
        return Err(refusal(client, repository, what, url, &reply));
    }
    let next = reply.header("link").and_then(next_page);
    let mut text = Vec::new();
    reply
        .body
        .into_reader()
        .take(LONGEST_ANSWER + 1)
        .read_to_end(&mut text)
        .map_err(|error| broken(error.to_string()))?;
    if text.len() as u64 > LONGEST_ANSWER {
        return Err(broken(format!(
            "the answer has more than {} MiB",
            LONGEST_ANSWER >> 20
        )));
    }
    let parsed = serde_json::from_slice(&text).map_err(|error| {
        let found = match text.trim_ascii_start().starts_with(b"<") {
            true => "found a web page, such as a login or proxy page".to_string(),
            false => format!("found something else ({error})"),
        };
        broken(format!(
            "expected the hub's description of a {}, {found}",
            repository.noun()
        ))
    })?;
    Ok((parsed, next))
}

/// Extracts the address of the next page from `Link: <https://…>; rel="next"`.
fn next_page(link: &str) -> Option<String> {
    link.split(',').find_map(|part| {
        let (address, relation) = part.split_once(';')?;
        let is_next = relation
            .split(';')
            .any(|parameter| matches!(parameter.trim(), "rel=\"next\"" | "rel=next"));
        let address = address.trim().strip_prefix('<')?.strip_suffix('>')?;
        is_next.then(|| address.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_in_the_link() {
        assert_eq!(
            next_page("<https://h/x?cursor=a%3D>; rel=\"next\"").as_deref(),
            Some("https://h/x?cursor=a%3D")
        );
        assert_eq!(
            next_page("<https://h/0>; rel=\"prev\", <https://h/2>; rel=\"next\"").as_deref(),
            Some("https://h/2")
        );
        assert_eq!(next_page("<https://h/0>; rel=\"prev\""), None);
    }
}
