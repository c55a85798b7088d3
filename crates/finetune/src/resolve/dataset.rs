//! From the name of a data set to its files: a path here, or a name on the hub.

use std::path::Path;

use finetune_data::{Dataset, Error, ReadOptions, default_split, find_split, splits_in};
use finetune_hub::{FoundDataset, Hub, is_dataset_name};

use crate::{error::Failure, resolve::download::shown};

/// A data set as somebody named it.
#[derive(Clone, Copy, Debug, Default)]
pub struct DatasetName<'a> {
    pub name: &'a str,
    /// Configuration on the hub; empty: the only one, or the default.
    pub config: &'a str,
    /// Branch, tag or commit on the hub; empty: `main`.
    pub revision: &'a str,
}

/// A data set whose splits are known.
pub enum DatasetSplits {
    Here(Dataset),
    OnHub(Box<FoundDataset>),
}

/// A data set whose files are here.
pub struct OpenedDataset {
    pub dataset: Dataset,
    /// Configuration and commit of one from the hub, else empty.
    pub config: String,
    pub revision: String,
}

impl DatasetName<'_> {
    /// Finds the splits. A path here wins, unless there is a configuration or a revision, which paths
    /// do not have.
    pub fn find(self, options: &ReadOptions) -> Result<DatasetSplits, Failure> {
        let Self {
            name,
            config,
            revision,
        } = self;
        let given = |text: &str| Some(text.to_string()).filter(|text| !text.is_empty());
        let (config, revision) = (given(config), given(revision));
        let is_plain = config.is_none() && revision.is_none();
        if !is_dataset_name(name) || (is_plain && Path::new(name).exists()) {
            if !is_plain {
                let flag = if config.is_some() {
                    "config"
                } else {
                    "revision"
                };
                return Err(Failure::User(format!(
                    "--dataset-{flag} is for data sets on the hub, named as imdb or owner/name, but {name} is a path"
                )));
            }
            return Ok(DatasetSplits::Here(Dataset::open_with(name, options)?));
        }
        let found = shown(|report| {
            Hub::from_env().find_dataset(name, config.as_deref(), revision.as_deref(), report)
        });
        match found {
            Ok(found) => Ok(DatasetSplits::OnHub(Box::new(found))),
            // Perhaps a path was misspelt.
            Err(Failure::User(message)) => Err(Failure::User(match Dataset::open(name) {
                Err(local @ Error::NotFound { .. }) => format!("{local}\n{message}"),
                _ => message,
            })),
            Err(other) => Err(other),
        }
    }
}

impl DatasetSplits {
    /// The split to take for `train`, `validation` or `test` where none was named, as
    /// [`Dataset::default_split`].
    pub fn default_split(&self, role: &str) -> Option<String> {
        match self {
            Self::Here(dataset) => dataset.default_split(role).map(|(name, _)| name),
            Self::OnHub(found) => default_split(&found.split_names(), role).map(str::to_string),
        }
    }

    /// Brings the files here that these split expressions need, and no others.
    pub fn open<S: AsRef<str>>(
        self,
        expressions: &[S],
        options: &ReadOptions,
    ) -> Result<OpenedDataset, Failure> {
        let found = match self {
            Self::Here(dataset) => {
                return Ok(OpenedDataset {
                    dataset,
                    config: String::new(),
                    revision: String::new(),
                });
            }
            Self::OnHub(found) => found,
        };
        let names = found.split_names();
        let mut wanted = Vec::new();
        let expressions = expressions.iter().map(AsRef::as_ref);
        for expression in expressions.filter(|text| !text.is_empty()) {
            for name in splits_in(expression)? {
                let Some(name) = find_split(&names, &name) else {
                    let available = names.join(", ");
                    return Err(Error::UnknownSplit { name, available }.into());
                };
                wanted.push(name);
            }
        }
        let files = shown(|report| Hub::from_env().fetch_dataset(&found, &wanted, report))?;
        Ok(OpenedDataset {
            dataset: Dataset::from_files(found.name(), files.splits, found.class_names(), options)?,
            config: found.config().to_string(),
            revision: found.commit().to_string(),
        })
    }
}
