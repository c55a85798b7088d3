//! Repositories on the hub: models and data sets, identified by name.

use std::fmt;

use hf_hub::{Repo, RepoType};

/// A repository on the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repository {
    kind: RepositoryKind,
    /// `name` or `owner/name`.
    pub(crate) name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RepositoryKind {
    Model,
    Dataset,
}

impl Repository {
    pub(crate) fn model(name: &str) -> Self {
        Self {
            kind: RepositoryKind::Model,
            name: name.to_string(),
        }
    }

    pub(crate) fn dataset(name: &str) -> Self {
        Self {
            kind: RepositoryKind::Dataset,
            name: name.to_string(),
        }
    }

    /// Names the kind of repository in words.
    pub(crate) fn noun(&self) -> &'static str {
        match self.kind {
            RepositoryKind::Model => "model",
            RepositoryKind::Dataset => "data set",
        }
    }

    /// Returns the path of its page, below which its files lie, relative to the hub.
    pub(crate) fn path(&self) -> String {
        self.at("main").url()
    }

    /// Returns the name of its folder in the cache.
    pub(crate) fn folder_name(&self) -> String {
        self.at("main").folder_name()
    }

    pub(crate) fn at(&self, revision: &str) -> Repo {
        let kind = match self.kind {
            RepositoryKind::Model => RepoType::Model,
            RepositoryKind::Dataset => RepoType::Dataset,
        };
        Repo::with_revision(self.name.clone(), kind, revision.to_string())
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"{}\"", self.noun(), self.name)
    }
}
