//! The environment variables of huggingface_hub, interpreted by its rules.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Looks up a variable; an empty one counts as unset.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The settings that the environment specifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Environment {
    /// Folder that contains `models--organisation--name`.
    pub cache: PathBuf,
    /// Folder with the data sets that Python's `datasets` has prepared.
    pub datasets_cache: PathBuf,
    /// Address of the hub, without a trailing slash.
    pub endpoint: String,
    /// Token to send to the hub.
    pub token: Option<String>,
    /// Whether requests are forbidden.
    pub offline: bool,
    /// Time to resolve and connect to a host.
    pub connect_timeout: Duration,
    /// Time without data after which a connection counts as broken.
    pub read_timeout: Duration,
    /// Variable and file with certificates to trust instead of the built-in ones.
    pub certificates: Option<(&'static str, PathBuf)>,
}

impl Environment {
    /// Reads the environment of this process.
    pub(crate) fn current() -> Self {
        Self::read(
            &|name| std::env::var(name).ok().filter(|value| !value.is_empty()),
            home(),
        )
    }

    pub(crate) fn read(variable: Lookup<'_>, home: PathBuf) -> Self {
        let path = |name: &str| variable(name).map(|value| expand(&value, variable, &home));
        let hf_home = path("HF_HOME").unwrap_or_else(|| {
            path("XDG_CACHE_HOME")
                .unwrap_or_else(|| home.join(".cache"))
                .join("huggingface")
        });
        let cache = path("HF_HUB_CACHE")
            .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
            .unwrap_or_else(|| hf_home.join("hub"));
        let datasets_cache = path("HF_DATASETS_CACHE").unwrap_or_else(|| hf_home.join("datasets"));
        let token_file = path("HF_TOKEN_PATH").unwrap_or_else(|| hf_home.join("token"));
        let token = variable("HF_TOKEN")
            .or_else(|| variable("HUGGING_FACE_HUB_TOKEN"))
            .or_else(|| std::fs::read_to_string(token_file).ok())
            .filter(|_| !is_true(variable("HF_HUB_DISABLE_IMPLICIT_TOKEN")));
        let seconds = |name: &str, default: u64| {
            let value = variable(name)
                .and_then(|value| value.parse().ok())
                .filter(|&s| s > 0);
            Duration::from_secs(value.unwrap_or(default))
        };
        Self {
            cache,
            datasets_cache,
            endpoint: variable("HF_ENDPOINT")
                .unwrap_or_else(|| crate::DEFAULT_ENDPOINT.to_string())
                .trim_end_matches('/')
                .to_string(),
            token: token.as_deref().and_then(clean_token),
            offline: is_true(
                [
                    "HF_HUB_OFFLINE",
                    "TRANSFORMERS_OFFLINE",
                    "HF_DATASETS_OFFLINE",
                ]
                .into_iter()
                .find_map(variable),
            ),
            connect_timeout: seconds("HF_HUB_ETAG_TIMEOUT", 5),
            read_timeout: seconds("HF_HUB_DOWNLOAD_TIMEOUT", 20),
            certificates: ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]
                .into_iter()
                .find_map(|name| Some((name, path(name)?))),
        }
    }
}

fn home() -> PathBuf {
    std::env::home_dir().unwrap_or_default()
}

/// Returns whether a switch is on by huggingface_hub's rules: `1`, `ON`, `YES` or `TRUE`.
fn is_true(value: Option<String>) -> bool {
    value.is_some_and(|value| matches!(value.to_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE"))
}

/// Removes line breaks and blanks that may have been pasted with a token.
fn clean_token(token: &str) -> Option<String> {
    let token = token.replace(['\r', '\n'], "").trim().to_string();
    (!token.is_empty()).then_some(token)
}

/// Expands `~`, `$NAME` and `${NAME}` as Python's `expanduser` and `expandvars` do; unknown names
/// are kept.
fn expand(value: &str, variable: Lookup<'_>, home: &Path) -> PathBuf {
    let (mut expanded, rest) = match value.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            (home.to_string_lossy().into_owned(), rest)
        }
        _ => (String::new(), value),
    };
    let mut parts = rest.split('$');
    expanded.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (name, after) = match part.strip_prefix('{').and_then(|part| part.split_once('}')) {
            Some(braced) => braced,
            None => {
                let end = part
                    .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                    .unwrap_or(part.len());
                part.split_at(end)
            }
        };
        match variable(name) {
            Some(value) => {
                expanded.push_str(&value);
                expanded.push_str(after);
            }
            None => {
                expanded.push('$');
                expanded.push_str(part);
            }
        }
    }
    PathBuf::from(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Environment {
        let lookup = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.to_string())
        };
        Environment::read(&lookup, PathBuf::from("/home/ann"))
    }

    #[test]
    fn the_cache_is_where_huggingface_hub_puts_it() {
        for (variables, cache) in [
            (&[][..], "/home/ann/.cache/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "/x")], "/x/huggingface/hub"),
            (
                &[("HF_HOME", "~/hf"), ("XDG_CACHE_HOME", "/x")],
                "/home/ann/hf/hub",
            ),
            (
                &[("HF_HOME", "/h"), ("HUGGINGFACE_HUB_CACHE", "/old")],
                "/old",
            ),
            (
                &[("HF_HUB_CACHE", "/new"), ("HUGGINGFACE_HUB_CACHE", "/old")],
                "/new",
            ),
            (
                &[("HF_HUB_CACHE", "${D}/a/$E.b$F"), ("D", "/d"), ("E", "e")],
                "/d/a/e.b$F",
            ),
        ] {
            assert_eq!(read(variables).cache, PathBuf::from(cache), "{variables:?}");
        }
    }

    #[test]
    fn tokens_come_from_the_variable_and_then_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "hf_file\n").unwrap();
        let path = ("HF_TOKEN_PATH", file.to_str().unwrap());
        let home = ("HF_HOME", folder.path().to_str().unwrap());
        assert_eq!(read(&[path]).token.as_deref(), Some("hf_file"));
        assert_eq!(read(&[home]).token.as_deref(), Some("hf_file"));
        assert_eq!(
            read(&[path, ("HF_TOKEN", " hf_a\n")]).token.as_deref(),
            Some("hf_a")
        );
        assert_eq!(
            read(&[path, ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]).token,
            None
        );
        assert_eq!(read(&[("HF_TOKEN_PATH", "/nowhere")]).token, None);
    }

    #[test]
    fn switches_and_addresses() {
        let environment = read(&[]);
        assert_eq!(environment.endpoint, "https://huggingface.co");
        assert!(!environment.offline);
        assert_eq!(environment.certificates, None);
        assert_eq!(
            read(&[("HF_ENDPOINT", "https://mirror/")]).endpoint,
            "https://mirror"
        );
        for (value, offline) in [
            ("1", true),
            ("true", true),
            ("ON", true),
            ("0", false),
            ("no", false),
        ] {
            assert_eq!(
                read(&[("HF_HUB_OFFLINE", value)]).offline,
                offline,
                "{value}"
            );
        }
        assert!(read(&[("TRANSFORMERS_OFFLINE", "1")]).offline);
        let environment = read(&[
            ("HF_HUB_DOWNLOAD_TIMEOUT", "60"),
            ("SSL_CERT_FILE", "/c.pem"),
        ]);
        assert_eq!(environment.read_timeout, Duration::from_secs(60));
        assert_eq!(
            environment.certificates,
            Some(("SSL_CERT_FILE", "/c.pem".into()))
        );
    }
}
