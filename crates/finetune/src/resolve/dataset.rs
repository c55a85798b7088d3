//! Resolves the name of a data set, a local path or a name on the hub, to its files.

use std::{path::Path, str::FromStr};

use finetune_data::{
    CsvHeader, CsvOptions, Dataset, Error, ReadOptions, default_split, find_split, splits_in,
};
use finetune_hub::{CsvSettings, FoundDataset, Hub, LocalDataset, is_dataset_name};

use crate::{error::Failure, resolve::download::shown, view::output::say};

/// A data set as the user named it.
#[derive(Clone, Copy, Debug, Default)]
pub struct DatasetName<'a> {
    pub name: &'a str,
    /// Configuration on the hub, or empty for the only or the default one.
    pub config: &'a str,
    /// Branch, tag or commit on the hub, or empty for `main`.
    pub revision: &'a str,
}

/// A data set whose splits are known.
pub enum DatasetSplits {
    /// A local data set and its configuration, which may be empty.
    Local(Dataset, String),
    /// A data set on the hub, whose files may have to be downloaded.
    OnHub(Box<FoundDataset>),
}

/// A data set whose files are on this machine.
#[derive(Clone)]
pub struct OpenedDataset {
    pub dataset: Dataset,
    /// Configuration of a data set from the hub or of a local directory with a card, else empty.
    pub config: String,
    /// Commit of a data set from the hub, else empty.
    pub revision: String,
}

impl DatasetName<'_> {
    /// Finds the splits. A local path takes precedence, unless a revision is given, or a configuration
    /// that the path has no card for.
    ///
    /// # Errors
    /// Fails if the data set cannot be found or read.
    pub fn find(self, options: &ReadOptions) -> Result<DatasetSplits, Failure> {
        let Self {
            name,
            config,
            revision,
        } = self;
        let given = |text: &str| Some(text.to_string()).filter(|text| !text.is_empty());
        let (config, revision) = (given(config), given(revision));
        let is_plain = config.is_none() && revision.is_none();
        if revision.is_none()
            && let Some(found) = local_with_card(name, config.as_deref(), options)?
        {
            return Ok(found);
        }
        if !is_dataset_name(name) || (is_plain && Path::new(name).exists()) {
            if !is_plain {
                let flag = if config.is_some() {
                    "config"
                } else {
                    "revision"
                };
                return Err(Failure::User(format!(
                    "--dataset-{flag} is for data sets on the hub, such as imdb or owner/name, but {name} is a path"
                )));
            }
            return Ok(DatasetSplits::Local(
                Dataset::open_with(name, options)?,
                String::new(),
            ));
        }
        let found = shown(|report| {
            Hub::from_env().find_dataset(name, config.as_deref(), revision.as_deref(), report)
        });
        match found {
            Ok(found) => Ok(DatasetSplits::OnHub(Box::new(found))),
            // The name may be a misspelt path.
            Err(failure) => Err(failure.with_message(|message| match Dataset::open(name) {
                Err(local @ Error::NotFound { .. }) => format!("{local}\n{message}"),
                _ => message,
            })),
        }
    }
}

impl DatasetSplits {
    /// Returns the default split for `train`, `validation` or `test`, as [`Dataset::default_split`] does.
    pub fn default_split(&self, role: &str) -> Option<String> {
        match self {
            Self::Local(dataset, _) => dataset.default_split(role).map(|(name, _)| name),
            Self::OnHub(found) => default_split(&found.split_names(), role).map(str::to_string),
        }
    }

    /// Returns the names of all splits.
    pub fn split_names(&self) -> Vec<String> {
        let names = match self {
            Self::Local(dataset, _) => dataset.split_names(),
            Self::OnHub(found) => found.split_names(),
        };
        names.into_iter().map(str::to_owned).collect()
    }

    /// Opens the data set and downloads the files that these split expressions need, and no others.
    ///
    /// # Errors
    /// Fails if a split is unknown, or if files cannot be downloaded or read.
    pub fn open<S: AsRef<str>>(
        self,
        expressions: &[S],
        options: &ReadOptions,
    ) -> Result<OpenedDataset, Failure> {
        let found = match self {
            Self::Local(dataset, config) => {
                return Ok(OpenedDataset {
                    dataset,
                    config,
                    revision: String::new(),
                });
            }
            Self::OnHub(found) => found,
        };
        let options = with_card(found.csv(), found.name(), options)?;
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
            dataset: Dataset::from_files(
                found.name(),
                files.splits,
                found.class_names(),
                &options,
            )?,
            config: found.config().to_string(),
            revision: found.commit().to_string(),
        })
    }
}

/// Opens a local directory with a card, such as a clone from the hub, as the card says; `None` if there is
/// no such directory or card.
fn local_with_card(
    name: &str,
    config: Option<&str>,
    options: &ReadOptions,
) -> Result<Option<DatasetSplits>, Failure> {
    let directory = Path::new(name);
    if !directory.is_dir() {
        return Ok(None);
    }
    let Some(card) = LocalDataset::read(directory, config)? else {
        return Ok(None);
    };
    if config.is_some() && card.config.is_none() {
        return Ok(None);
    }
    for note in &card.notes {
        say!("note: {note}");
    }
    let options = with_card(&card.csv, name, options)?;
    let dataset = match card.splits {
        Some(splits) => Dataset::from_files(name, splits, &card.class_names, &options)?,
        None => Dataset::open_named(name, &card.class_names, &options)?,
    };
    let config = card.config.unwrap_or_default();
    Ok(Some(DatasetSplits::Local(dataset, config)))
}

/// Returns the options, with the CSV settings in the card of the data set `name` as defaults.
fn with_card(
    card: &CsvSettings,
    name: &str,
    options: &ReadOptions,
) -> Result<ReadOptions, Failure> {
    fn parsed<T: FromStr<Err = String>>(
        name: &str,
        value: Option<&String>,
    ) -> Result<Option<T>, Failure> {
        let parsed = value.map(|value| value.parse::<T>()).transpose();
        parsed.map_err(|error| Failure::User(format!("the card of {name}: {error}")))
    }
    let csv = CsvOptions {
        delimiter: parsed(name, card.delimiter.as_ref())?,
        quoting: parsed(name, card.quoting.as_ref())?,
        escape: parsed(name, card.escape.as_ref())?,
        comment: parsed(name, card.comment.as_ref())?,
        encoding: parsed(name, card.encoding.as_ref())?,
    };
    let csv_header = match (card.names.as_slice(), card.has_header) {
        ([], Some(false)) => CsvHeader::Numbers,
        ([], _) => CsvHeader::FirstLine,
        (names, has_header) => CsvHeader::Names {
            names: names.to_vec(),
            replaces_first_line: has_header == Some(true),
        },
    };
    Ok(ReadOptions {
        csv: options.csv.clone().or(csv),
        csv_header,
        ..options.clone()
    })
}
