//! From the name of a data set to its files: a path here, or a name on the hub.

use std::{path::Path, str::FromStr};

use finetune_data::{
    CsvHeader, CsvOptions, Dataset, Error, ReadOptions, default_split, find_split, splits_in,
};
use finetune_hub::{CsvSettings, FoundDataset, Hub, LocalDataset, is_dataset_name};

use crate::{error::Failure, resolve::download::shown, view::output::say};

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
    /// With its configuration, or empty.
    Here(Dataset, String),
    OnHub(Box<FoundDataset>),
}

/// A data set whose files are here.
#[derive(Clone)]
pub struct OpenedDataset {
    pub dataset: Dataset,
    /// Configuration and commit of one from the hub, or a folder's configuration, else empty.
    pub config: String,
    pub revision: String,
}

impl DatasetName<'_> {
    /// Finds the splits. A path here wins, unless there is a revision, or a configuration and the path
    /// is no folder with a card, which has some.
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
            && let Some(found) = here_by_card(name, config.as_deref(), options)?
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
                    "--dataset-{flag} is for data sets on the hub, named as imdb or owner/name, but {name} is a path"
                )));
            }
            return Ok(DatasetSplits::Here(
                Dataset::open_with(name, options)?,
                String::new(),
            ));
        }
        let found = shown(|report| {
            Hub::from_env().find_dataset(name, config.as_deref(), revision.as_deref(), report)
        });
        match found {
            Ok(found) => Ok(DatasetSplits::OnHub(Box::new(found))),
            // Perhaps a path was misspelt.
            Err(failure) => Err(failure.with_message(|message| match Dataset::open(name) {
                Err(local @ Error::NotFound { .. }) => format!("{local}\n{message}"),
                _ => message,
            })),
        }
    }
}

impl DatasetSplits {
    /// The split to take for `train`, `validation` or `test` where none was named, as
    /// [`Dataset::default_split`].
    pub fn default_split(&self, role: &str) -> Option<String> {
        match self {
            Self::Here(dataset, _) => dataset.default_split(role).map(|(name, _)| name),
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
            Self::Here(dataset, config) => {
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

/// A folder on this machine with a card, as cloned from the hub, is read as that says; `None` where
/// there is none.
fn here_by_card(
    name: &str,
    config: Option<&str>,
    options: &ReadOptions,
) -> Result<Option<DatasetSplits>, Failure> {
    let dir = Path::new(name);
    if !dir.is_dir() {
        return Ok(None);
    }
    let Some(card) = LocalDataset::read(dir, config)? else {
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
    Ok(Some(DatasetSplits::Here(dataset, config)))
}

/// The options, and below them what the card of the data set `name` says about CSV.
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
