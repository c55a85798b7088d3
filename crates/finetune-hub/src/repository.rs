//! What is asked of the hub: a model or a data set, by its name.

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

    /// What it is, in words.
    pub(crate) fn noun(&self) -> &'static str {
        match self.kind {
            RepositoryKind::Model => "model",
            RepositoryKind::Dataset => "data set",
        }
    }

    /// Where its page is, and below it its files: the part of the address after the hub's.
    pub(crate) fn path(&self) -> String {
        self.at("main").url()
    }

    /// Its folder in the cache.
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
