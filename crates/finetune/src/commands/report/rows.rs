//! Reads the texts of single rows again, from the files that a run was made from.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use finetune_data::{Columns, CsvHeader, CsvOptions, Dataset, TextRow};
use finetune_report::RowText;
use finetune_train::{FileFacts, Manifest, Reading, TrainPlan};

use crate::{error::Failure, resolve::data::read_options};

/// Where the rows of a split are.
pub struct Places {
    pub split: String,
    pub files: Vec<PathBuf>,
    /// Index in `files`, and the row in that file.
    pub places: Vec<(u32, u64)>,
}

/// Reads the texts of the listed rows. What cannot be read is left out, which a note says.
pub fn texts(
    places: &Places,
    listed: &[usize],
    plan: &TrainPlan,
    manifest: Option<&Manifest>,
    notes: &mut Vec<String>,
) -> BTreeMap<usize, RowText> {
    let mut by_file: BTreeMap<u32, Vec<(usize, u64)>> = BTreeMap::new();
    for &row in listed {
        if let Some((file, number)) = places.places.get(row) {
            by_file.entry(*file).or_default().push((row, *number));
        }
    }
    let reading = manifest.and_then(|manifest| {
        let mut splits = manifest.rows.iter();
        splits.find(|rows| rows.name == places.split)
    });
    let reading = match reading {
        Some(rows) => rows.reading.clone(),
        None => Reading {
            csv: plan.data.csv.clone(),
            csv_header: CsvHeader::FirstLine,
        },
    };
    let mut texts = BTreeMap::new();
    for (file, rows) in by_file {
        let Some(path) = places.files.get(file as usize) else {
            continue;
        };
        let known = manifest.into_iter().flat_map(|manifest| &manifest.data);
        let mut known =
            known.filter(|known| std::path::absolute(&known.path).is_ok_and(|it| it == *path));
        let numbers: Vec<u64> = rows.iter().map(|(_, number)| *number).collect();
        match read(
            path,
            known.next_back(),
            &numbers,
            &plan.data.text_column,
            &reading,
        ) {
            Ok(found) => texts.extend(rows.iter().zip(found).map(|((row, _), found)| {
                let place = found.place.to_string();
                let text = RowText {
                    first: found.first,
                    second: found.second,
                    place,
                    words: Vec::new(),
                };
                (*row, text)
            })),
            Err(problem) => notes.push(format!(
                "The texts of rows in {} are not shown: {problem}.",
                path.display()
            )),
        }
    }
    texts
}

/// Reads rows of a file that is as it was in training.
fn read(
    path: &Path,
    known: Option<&FileFacts>,
    rows: &[u64],
    text_columns: &[String],
    reading: &Reading,
) -> Result<Vec<TextRow>, String> {
    if !path.exists() {
        return Err("it is gone".into());
    }
    let mut options = read_options(CsvOptions::default());
    options.csv = reading.csv.clone();
    options.csv_header = reading.csv_header.clone();
    let opened = match path.is_dir() {
        true => Dataset::open_with(path.to_string_lossy(), &options),
        false => Dataset::open_file_with(path, &options),
    };
    let text = |error: finetune_data::Error| {
        let line = Failure::from(error).to_string();
        line.strip_prefix("error: ").unwrap_or(&line).to_owned()
    };
    let split = opened
        .and_then(|dataset| dataset.split("train"))
        .map_err(text)?;
    if let Some(known) = known {
        let hashes = split.file_hashes().map_err(text)?;
        if hashes
            .first()
            .is_some_and(|(_, _, sha256)| *sha256 != known.sha256)
        {
            return Err("it has changed since".into());
        }
    }
    let columns = Columns {
        text: text_columns.to_vec(),
        ..Columns::default()
    };
    split.texts_of_rows(&columns, rows).map_err(text)
}
