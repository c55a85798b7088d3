//! Interprets model names: a local directory, or a repository on the hub.

use std::path::{Path, PathBuf};

use crate::error::HubError;

/// The meaning of a model name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ModelName {
    /// An existing directory.
    Directory(PathBuf),
    /// A repository id, `name` or `organisation/name`.
    Repository(String),
}

impl ModelName {
    /// Parses a name. An existing directory takes precedence; otherwise the name must be a
    /// repository id by the rules of huggingface_hub's `validate_repo_id`.
    pub(crate) fn parse(name: &str) -> Result<Self, HubError> {
        let path = Path::new(name);
        if path.is_dir() {
            return Ok(Self::Directory(path.to_path_buf()));
        }
        if path.is_file() {
            return Err(HubError::NotADirectory {
                name: name.to_string(),
            });
        }
        if looks_like_a_path(name) {
            return Err(HubError::NoSuchDirectory {
                name: name.to_string(),
            });
        }
        match refusal(name) {
            None => Ok(Self::Repository(name.to_string())),
            Some(reason) => Err(HubError::BadName {
                name: name.to_string(),
                reason,
            }),
        }
    }
}

pub(crate) fn looks_like_a_path(name: &str) -> bool {
    name.starts_with(['.', '/', '~'])
        || name.ends_with('/')
        || name.contains('\\')
        || name.matches('/').count() > 1
        || name.as_bytes().get(1) == Some(&b':')
}

/// Returns the reason why a name cannot be a repository id.
pub(crate) fn refusal(name: &str) -> Option<&'static str> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() {
        Some("it is empty")
    } else if !name
        .split('/')
        .all(|part| (1..=96).contains(&part.chars().count()))
    {
        Some("each part has 1 to 96 characters")
    } else if !name.chars().all(|c| allowed(c) || c == '/') {
        Some("only letters, digits, '-', '_' and '.' are allowed")
    } else if name
        .split('/')
        .any(|part| part.starts_with(['-', '.']) || part.ends_with(['-', '.']))
    {
        Some("a part neither starts nor ends with '-' or '.'")
    } else if name.contains("--") || name.contains("..") {
        Some("\"--\" and \"..\" are not allowed")
    } else if name.ends_with(".git") {
        Some("it cannot end in \".git\"")
    } else {
        None
    }
}

/// Checks a revision (branch, tag or commit), which becomes part of paths and addresses.
pub(crate) fn check_revision(revision: &str) -> Result<(), HubError> {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '+'))
    };
    if revision.split('/').all(part) {
        Ok(())
    } else {
        Err(HubError::BadRevision {
            revision: revision.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        for name in [
            "bert-base-uncased",
            "sentence-transformers/all-MiniLM-L6-v2",
            "a/b_c.d",
        ] {
            assert_eq!(
                ModelName::parse(name).unwrap(),
                ModelName::Repository(name.into())
            );
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        assert_eq!(
            ModelName::parse(path).unwrap(),
            ModelName::Directory(path.into())
        );
    }

    #[test]
    fn what_looks_like_a_path_is_said_to_be_missing_here() {
        for name in [
            "./model",
            "/no/such/model",
            "~/model",
            "runs/a/model",
            "model/",
            "a\\b",
            "C:/m",
        ] {
            let error = ModelName::parse(name).unwrap_err();
            assert!(
                matches!(error, HubError::NoSuchDirectory { .. }),
                "{name}: {error}"
            );
        }
    }

    #[test]
    fn impossible_names_are_refused_with_the_reason() {
        for (name, reason) in [
            ("", "empty"),
            ("a b", "only letters"),
            ("-a", "starts"),
            ("a--b", "\"--\""),
            ("a/b.git", ".git"),
            (&"x".repeat(97), "96"),
        ] {
            let error = ModelName::parse(name).unwrap_err().to_string();
            assert!(error.contains(reason), "{name}: {error}");
        }
    }

    #[test]
    fn revisions_cannot_leave_their_folder() {
        for revision in [
            "main",
            "v1.0",
            "refs/pr/3",
            "c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
        ] {
            check_revision(revision).unwrap();
        }
        for revision in ["", "../main", "a//b", "/main", "a?b", "a b", "x/.."] {
            assert!(check_revision(revision).is_err(), "{revision}");
        }
    }
}
