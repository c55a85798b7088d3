//! Folders of data on this machine that have a dataset card, such as a clone from the hub.

use std::path::{Path, PathBuf};

use crate::card_csv::CsvSettings;
use crate::data_files::{self, DEFAULT_CONFIG};
use crate::dataset_route::{files_in, read_card};
use crate::error::HubError;

/// What the card in a folder says about the files beside it.
#[derive(Clone, Debug, Default)]
pub struct LocalDataset {
    /// The configuration, if one was requested.
    pub config: Option<String>,
    /// The files of each split, if the card lists them.
    pub splits: Option<Vec<(String, Vec<PathBuf>)>>,
    /// Columns of classes with their class names in order.
    pub class_names: Vec<(String, Vec<String>)>,
    /// CSV options for the files.
    pub csv: CsvSettings,
    /// What the user should know, one sentence each.
    pub notes: Vec<String>,
}

impl LocalDataset {
    /// Reads the card in `dir` and selects the configuration with the given name, the only one or
    /// the default one. Returns `None` if there is no card or it says nothing about the files. A
    /// card that cannot be read is noted.
    ///
    /// # Errors
    /// Fails if there are several configurations of which none is named or the default, and if
    /// files listed in the card do not exist.
    pub fn read(dir: &Path, config: Option<&str>) -> Result<Option<Self>, HubError> {
        let place = dir.display().to_string();
        let card = match read_card(&place, dir) {
            Ok(card) if card.speaks_of_data() => card,
            Ok(_) => return Ok(None),
            // Any README.md may begin like a card.
            Err(error) => {
                return Ok(Some(Self {
                    notes: vec![format!("{error}; it is ignored")],
                    ..Self::default()
                }));
            }
        };
        if card.configs().is_empty() {
            return Ok(Some(Self {
                class_names: card.class_names(DEFAULT_CONFIG),
                ..Self::default()
            }));
        }
        let mut files = files_in(dir);
        files.retain(|file| file.path.split('/').all(|part| !part.starts_with('.')));
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let layout = data_files::by_card(&place, &card, config, &paths)?;
        let split = |(name, files): (String, Vec<usize>)| {
            let files = files.into_iter().map(|index| dir.join(paths[index]));
            (name, files.collect())
        };
        let splits = layout.splits.into_iter().map(split);
        Ok(Some(Self {
            config: config.map(|_| layout.config.clone()),
            class_names: card.class_names(&layout.config),
            splits: card.names_files().then(|| splits.collect()),
            csv: layout.csv,
            notes: layout.notes,
        }))
    }
}
