//! Requests to the hub: hf-hub's client with timeouts, redirects that keep the hub's headers, and
//! waiting when the hub asks for it.

use std::thread;
use std::time::Duration;

use hf_hub::Cache;
use hf_hub::api::sync::{Api, ApiBuilder};
use ureq::http::{HeaderMap, Response, Uri, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Body, Error, Timeout};

use crate::checksum::Checksum;
use crate::environment::Environment;
use crate::error::HubError;
use crate::progress::{Progress, Report};
use crate::repository::Repository;

const MAX_REDIRECTS: usize = 10;

/// How long to continue when the hub rejects requests or the connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// Number of attempts in a row without a new byte before giving up, not counting the first.
    pub retries: u32,
    /// The first pause, which doubles with each attempt.
    pub pause: Duration,
    /// The longest pause; if the hub asks for more, the request is given up.
    pub longest: Duration,
}

/// A hub with the address and token to use.
#[derive(Debug)]
pub(crate) struct Client {
    api: Api,
    pub(crate) endpoint: String,
    pub(crate) has_token: bool,
    pub(crate) patience: Patience,
    connect_timeout: Duration,
    read_timeout: Duration,
    tls: Option<TlsConfig>,
}

/// An answer after all redirects.
pub(crate) struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    /// The checksum that the hub itself stated before redirecting to the content.
    pub checksum: Option<Checksum>,
    pub body: Body,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns how long the hub asks us to wait: `Retry-After` in seconds, or the hub's own
    /// `RateLimit` (`"api";r=0;t=55`). A date is not understood.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let seconds = self.header("retry-after").or_else(|| {
            let rate_limit = self.header("ratelimit")?;
            rate_limit
                .split(';')
                .find_map(|part| part.trim().strip_prefix("t="))
        });
        seconds?.trim().parse().ok().map(Duration::from_secs)
    }

    /// Returns whether the same request may succeed later.
    pub(crate) fn is_temporary(&self) -> bool {
        matches!(self.status, 408 | 429 | 500 | 502 | 503 | 504)
    }
}

/// The reason why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No connection could be established.
    Unreachable(String),
    /// The connection broke or was silent for too long.
    Broken(String),
    /// The answer makes no sense, and repeating the request would not change that.
    Invalid(String),
}

impl Client {
    pub(crate) fn new(environment: &Environment, patience: Patience) -> Result<Self, HubError> {
        let api = ApiBuilder::from_cache(Cache::new(environment.cache.clone()))
            .with_endpoint(environment.endpoint.clone())
            .with_token(environment.token.clone())
            .with_progress(false)
            .with_user_agent("finetune", env!("CARGO_PKG_VERSION"))
            .build()
            .map_err(|error| HubError::Unreachable {
                endpoint: environment.endpoint.clone(),
                reason: error.to_string(),
            })?;
        Ok(Self {
            api,
            endpoint: environment.endpoint.clone(),
            has_token: environment.token.is_some(),
            patience,
            connect_timeout: environment.connect_timeout,
            read_timeout: environment.read_timeout,
            tls: trusted_certificates(environment)?,
        })
    }

    /// Returns the address of the hub's information about a repository.
    pub(crate) fn info_url(&self, repository: &Repository, revision: &str) -> String {
        let repo = repository.at(revision);
        format!("{}/api/{}", self.endpoint, repo.api_url())
    }

    /// Returns the address of the paginated list of a repository's files with their sizes and
    /// checksums.
    pub(crate) fn tree_url(&self, repository: &Repository, commit: &str) -> String {
        let path = repository.at(commit).api_url();
        let path = path.replacen("/revision/", "/tree/", 1);
        format!("{}/api/{path}?recursive=true", self.endpoint)
    }

    /// Returns the address of a file.
    pub(crate) fn file_url(&self, repository: &Repository, revision: &str, file: &str) -> String {
        let repo = repository.at(revision);
        self.api.repo(repo).url(&escaped(file))
    }

    /// Returns the address of a repository's web page.
    pub(crate) fn page(&self, repository: &Repository) -> String {
        format!("{}/{}", self.endpoint, repository.path())
    }

    /// Requests `url`, or the given byte range of it. Follows redirects; the token is only sent to
    /// the hub.
    pub(crate) fn get(&self, url: &str, range: Option<&str>) -> Result<Reply, Failure> {
        let mut url = url.to_string();
        let mut checksum = None;
        for _ in 0..MAX_REDIRECTS {
            let response = self.get_once(&url, range)?;
            let text = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok());
            checksum = checksum
                .or_else(|| text("x-linked-etag").and_then(Checksum::parse))
                .or_else(|| text("etag").and_then(Checksum::parse));
            let location = text("location").filter(|_| response.status().is_redirection());
            match location {
                Some(location) => url = redirected(&url, location)?,
                None => {
                    let (parts, body) = response.into_parts();
                    return Ok(Reply {
                        status: parts.status.as_u16(),
                        headers: parts.headers,
                        checksum,
                        body,
                    });
                }
            }
        }
        Err(Failure::Invalid(format!(
            "more than {MAX_REDIRECTS} redirects"
        )))
    }

    fn get_once(&self, url: &str, range: Option<&str>) -> Result<Response<Body>, Failure> {
        // hf-hub's own request, with its agent, user agent and authorization.
        let mut request = self.api.model(String::new()).info_request().uri(url);
        if let (false, Some(headers)) = (self.is_hub(url), request.headers_mut()) {
            headers.remove(header::AUTHORIZATION);
        }
        if let Some(range) = range {
            request = request.header(header::RANGE, range);
        }
        let mut config = request
            .config()
            // Redirects are followed in `get`, because their headers hold the checksum.
            .max_redirects(0)
            .http_status_as_error(false)
            // Ask for the bytes as they are, so that a range is a range of the file.
            .accept_encoding("identity")
            .timeout_resolve(Some(self.connect_timeout))
            .timeout_connect(Some(self.connect_timeout))
            .timeout_per_read(Some(self.read_timeout))
            .timeout_per_write(Some(self.read_timeout));
        if is_this_machine(url) {
            config = config.proxy(None);
        }
        if let Some(tls) = &self.tls {
            config = config.tls_config(tls.clone());
        }
        config.build().call().map_err(|error| match error {
            Error::Timeout(Timeout::Resolve | Timeout::Connect) => Failure::Unreachable(format!(
                "no connection within {} s",
                self.connect_timeout.as_secs()
            )),
            Error::Timeout(_) => self.silence(),
            Error::Io(error) if is_refusal(&error) => Failure::Unreachable(error.to_string()),
            Error::Io(error) => Failure::Broken(error.to_string()),
            Error::Protocol(error) => Failure::Broken(error.to_string()),
            Error::HostNotFound => Failure::Unreachable("its name does not resolve".to_string()),
            error => Failure::Unreachable(error.to_string()),
        })
    }

    /// The failure of a connection that was silent for too long.
    pub(crate) fn silence(&self) -> Failure {
        Failure::Broken(format!("no data for {} s", self.read_timeout.as_secs()))
    }

    fn is_hub(&self, url: &str) -> bool {
        let host = |url: &str| {
            let uri: Uri = url.parse().ok()?;
            Some((uri.scheme_str()?.to_string(), uri.authority()?.to_string()))
        };
        host(url).is_some_and(|found| host(&self.endpoint) == Some(found))
    }

    /// Sleeps before attempt `attempt` (1 is the first repetition) for as long as the hub asks, or
    /// else twice as long as the last time. Returns the reason as an error when it is time to give
    /// up.
    pub(crate) fn wait(
        &self,
        attempt: u32,
        reason: &str,
        asked: Option<Duration>,
        report: Report<'_>,
    ) -> Result<(), String> {
        let Patience {
            retries,
            pause,
            longest,
        } = self.patience;
        if attempt > retries {
            return Err(format!("{reason}; gave up after {attempt} attempts"));
        }
        let pause = match asked {
            Some(asked) if asked > longest => {
                return Err(format!(
                    "{reason}; it asks to wait {} s, try again later",
                    asked.as_secs()
                ));
            }
            Some(asked) => asked,
            None => pause
                .saturating_mul(1 << (attempt - 1).min(16))
                .min(longest),
        };
        report(Progress::Note(format!(
            "{reason}; trying again in {:.1} s ({attempt} of {retries})",
            pause.as_secs_f64()
        )));
        thread::sleep(pause);
        Ok(())
    }
}

/// Percent-encodes the name of a file for use in a URL.
fn escaped(file: &str) -> String {
    let mut address = String::with_capacity(file.len());
    for byte in file.bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => address.push(byte.into()),
            byte if byte.is_ascii_alphanumeric() => address.push(byte.into()),
            byte => address.push_str(&format!("%{byte:02X}")),
        }
    }
    address
}

/// Returns whether an address is on this machine, which no proxy can reach.
fn is_this_machine(url: &str) -> bool {
    let uri: Option<Uri> = url.parse().ok();
    uri.as_ref()
        .and_then(Uri::host)
        .is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"))
}

/// Returns whether a connection was never established.
fn is_refusal(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{
        AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable,
    };
    matches!(
        error.kind(),
        AddrNotAvailable | ConnectionRefused | HostUnreachable | NetworkDown | NetworkUnreachable
    ) || error.to_string().contains("failed to lookup address")
}

/// Resolves `location`, which may be relative to `url`.
fn redirected(url: &str, location: &str) -> Result<String, Failure> {
    if location.starts_with("https://") || location.starts_with("http://") {
        return Ok(location.to_string());
    }
    let broken = || Failure::Invalid(format!("a redirect to \"{location}\" cannot be followed"));
    if location.contains("://") {
        return Err(broken());
    }
    let uri: Uri = url.parse().map_err(|_| broken())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(broken());
    };
    match location {
        rest if rest.starts_with("//") => Ok(format!("{scheme}:{rest}")),
        rest if rest.starts_with('/') => Ok(format!("{scheme}://{authority}{rest}")),
        rest => {
            let folder = uri.path().rsplit_once('/').map_or("", |(folder, _)| folder);
            Ok(format!("{scheme}://{authority}{folder}/{rest}"))
        }
    }
}

/// Loads the certificates named by the environment, which company networks need.
fn trusted_certificates(environment: &Environment) -> Result<Option<TlsConfig>, HubError> {
    let Some((variable, path)) = environment.certificates.clone() else {
        return Ok(None);
    };
    let refuse = |reason: String| HubError::Certificates {
        variable,
        path: path.clone(),
        reason,
    };
    let pem = std::fs::read(&path).map_err(|error| refuse(error.to_string()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) =
            item.map_err(|error| refuse(error.to_string()))?
        {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(refuse("it has no certificate in PEM form".to_string()));
    }
    let roots = RootCerts::new_with_certs(&certificates);
    Ok(Some(TlsConfig::builder().root_certs(roots).build()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_may_be_relative() {
        let url = "https://hub.example/a/b?x=1";
        for (location, expected) in [
            ("https://cdn.example/c?d", "https://cdn.example/c?d"),
            ("//cdn.example/c", "https://cdn.example/c"),
            ("/c?d", "https://hub.example/c?d"),
            ("c", "https://hub.example/a/c"),
        ] {
            assert_eq!(redirected(url, location).unwrap(), expected);
        }
        assert!(redirected(url, "file:///etc/passwd").is_err());
    }

    #[test]
    fn names_of_files_are_escaped() {
        assert_eq!(escaped("data/train-0.csv"), "data/train-0.csv");
        assert_eq!(escaped("a b#?é.csv"), "a%20b%23%3F%C3%A9.csv");
    }
}
