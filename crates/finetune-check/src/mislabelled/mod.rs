//! Rows whose label is probably wrong, by probabilities from a classifier that did not see them.

mod confident;
mod features;
mod given;
mod model;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use finetune_data::arrow::array::{ArrayRef, Float32Array, RecordBatch, StringArray, UInt64Array};
use finetune_data::arrow::datatypes::{DataType, Field, Schema};
use finetune_data::write_parquet;
use finetune_task::Task;
use rayon::prelude::*;

use crate::data::Data;
use crate::duplicates::groups::Groups;
use crate::error::{CheckError, Result};
use crate::finding::RowNumber;
use crate::mislabelled::confident::suspects;
use crate::mislabelled::model::{Labelled, Model};
use crate::scan::words::mix;
use crate::scan::{Scan, UNLABELLED};

/// Parts of the cross-validation.
const FOLDS: u64 = 5;
/// Features in memory, at 4 bytes each. Of more rows only every second, third, … is looked at.
const MOST_FEATURES: u64 = 60 << 20;
/// Logarithm of the number of weights of a model, at most.
const WEIGHTS: u32 = 22;
/// Fewest rows that a classifier learns anything from.
const FEWEST_ROWS: usize = 100;

/// A row whose label is probably wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mislabelled {
    pub(crate) row: RowNumber,
    pub(crate) label: u32,
    pub(crate) instead: u32,
    /// Probability of the label less that of the likeliest other class.
    pub(crate) margin: f32,
}

/// The probabilities of rows, and the suspects among them.
pub(crate) struct Suspicion {
    /// The worst first.
    pub(crate) suspects: Vec<Mislabelled>,
    /// The rows that were looked at.
    pub(crate) rows: Vec<RowNumber>,
    /// Their probabilities, `[rows, classes]`.
    probabilities: Vec<f32>,
    /// Share of the rows whose likeliest class is their label, and what the largest class alone gives.
    pub(crate) accuracy: f64,
    pub(crate) largest: f64,
    /// Whether the probabilities are the user's.
    pub(crate) given: Option<PathBuf>,
}

impl Suspicion {
    /// Looks for suspects; `Err` of a reason if these rows cannot be looked at.
    pub(crate) fn new(
        data: &Data<'_>,
        scan: &Scan,
        groups: &Groups,
        given: Option<&Path>,
        stopped: &(dyn Fn() -> bool + Sync),
    ) -> Result<Result<Self, String>> {
        let Some(Task::Classes(names)) = data.task else {
            return Ok(Err(
                "labels that are probably wrong: only rows of one class each are looked at".into(),
            ));
        };
        let classes = names.len();
        let (rows, probabilities) = match given {
            Some(path) => {
                let probabilities = given::read(path, names)?;
                let rows = probabilities.len() / classes;
                (which_rows(scan, path, rows)?, probabilities)
            }
            None => {
                if scan.rows.len() < FEWEST_ROWS {
                    return Ok(Err(format!(
                        "labels that are probably wrong: {} rows are too few to learn from; {FEWEST_ROWS} are needed",
                        scan.rows.len()
                    )));
                }
                cross_validated(data, scan, groups, classes, stopped)?
            }
        };
        let labels: Vec<u32> = rows.iter().map(|row| scan.row(*row).label as u32).collect();
        let right = probabilities.chunks_exact(classes).zip(&labels);
        let right = right
            .filter(|(row, label)| likeliest(row) == **label as usize)
            .count();
        let mut counts = vec![0_u64; classes];
        labels.iter().for_each(|label| counts[*label as usize] += 1);
        let share = |count: u64| count as f64 / labels.len().max(1) as f64;
        let suspects = suspects(&probabilities, &labels, classes).into_iter();
        Ok(Ok(Self {
            suspects: suspects
                .map(|suspect| Mislabelled {
                    row: rows[suspect.index],
                    label: labels[suspect.index],
                    instead: suspect.instead,
                    margin: suspect.margin,
                })
                .collect(),
            accuracy: share(right as u64),
            largest: share(counts.into_iter().max().unwrap_or(0)),
            rows,
            probabilities,
            given: given.map(Path::to_path_buf),
        }))
    }

    /// Writes the probabilities as a Parquet file: the split, the index of the row in it, the label, and a
    /// column for each class.
    pub(crate) fn write(&self, path: &Path, scan: &Scan, names: &[String]) -> Result<()> {
        let text = |name: &str| Field::new(name, DataType::Utf8, true);
        let mut fields = vec![
            text("split"),
            Field::new("row", DataType::UInt64, true),
            text("label"),
        ];
        fields.extend(
            names
                .iter()
                .map(|name| Field::new(name, DataType::Float32, true)),
        );
        let schema = Arc::new(Schema::new(fields));
        let splits = self.rows.iter().map(|row| scan.role(*row).name());
        let indices = self
            .rows
            .iter()
            .map(|row| u64::from(row - scan.part(*row).rows.start));
        let labels = self
            .rows
            .iter()
            .map(|row| names[scan.row(*row).label as usize].as_str());
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(splits)),
            Arc::new(UInt64Array::from_iter_values(indices)),
            Arc::new(StringArray::from_iter_values(labels)),
        ];
        for class in 0..names.len() {
            let values = self.probabilities.iter().skip(class).step_by(names.len());
            columns.push(Arc::new(Float32Array::from_iter_values(values.copied())));
        }
        let batch = RecordBatch::try_new(schema.clone(), columns);
        let batch = batch.map_err(|error| finetune_data::Error::Arrow {
            context: format!("writing {}", path.display()),
            message: error.to_string(),
        });
        Ok(write_parquet(path, &schema, &[], [batch])?)
    }
}

fn likeliest(row: &[f32]) -> usize {
    let mut best = 0;
    for (class, probability) in row.iter().enumerate() {
        if *probability > row[best] {
            best = class;
        }
    }
    best
}

/// Returns the rows that given probabilities are of: all, or those of the first splits.
fn which_rows(scan: &Scan, path: &Path, rows: usize) -> Result<Vec<RowNumber>> {
    let ends: Vec<u32> = scan.parts.iter().map(|part| part.rows.end).collect();
    if ends.iter().any(|end| *end as usize == rows) {
        return Ok((0..rows as u32).collect());
    }
    let expected: Vec<String> = scan
        .parts
        .iter()
        .map(|part| format!("{} to {}", part.rows.end, part.role.name()))
        .collect();
    Err(CheckError::Probabilities {
        path: path.to_path_buf(),
        message: format!(
            "it has {rows} rows; expected one for each row that has a text and a label, in the order of the splits: as many as up to the end of one of them ({})",
            expected.join(", ")
        ),
    })
}

/// Returns the rows that were looked at and their probabilities, each by a model that did not see the row,
/// nor one with the same text.
fn cross_validated(
    data: &Data<'_>,
    scan: &Scan,
    groups: &Groups,
    classes: usize,
    stopped: &(dyn Fn() -> bool + Sync),
) -> Result<(Vec<RowNumber>, Vec<f32>)> {
    let most = features::MOST_WORDS as u32;
    let expected = scan
        .rows
        .iter()
        .map(|row| 2 * u64::from(row.words.min(most)));
    let stride = expected.sum::<u64>().div_ceil(MOST_FEATURES).max(1) as u32;
    let bits = (WEIGHTS - classes.next_power_of_two().ilog2().min(10)).min(18);
    let mut rows: Vec<RowNumber> = Vec::new();
    let mut all: Vec<Vec<u32>> = Vec::new();
    for (part, checked) in scan.parts.iter().zip(data.splits) {
        let chosen: Vec<RowNumber> = part
            .rows
            .clone()
            .filter(|row| row % stride == 0 && scan.row(*row).label != UNLABELLED)
            .collect();
        let indices: Vec<u64> = chosen
            .iter()
            .map(|row| u64::from(row - part.rows.start))
            .collect();
        let mut texts = checked.split.select(&indices)?.texts(data.columns)?;
        loop {
            let some: Vec<_> = texts.by_ref().take(4096).collect::<Result<_, _>>()?;
            if some.is_empty() {
                break;
            }
            if stopped() {
                return Err(CheckError::Stopped);
            }
            let features = some.par_iter().map(|text| {
                let joined = crate::scan::joined(&text.first, text.second.as_deref());
                features::features(&joined, bits)
            });
            all.extend(features.collect::<Vec<_>>());
        }
        rows.extend(chosen);
    }
    let fold = |row: RowNumber| mix(u64::from(groups.first_of(row))) % FOLDS;
    let of_folds: Vec<Vec<(usize, Vec<f32>)>> = (0..FOLDS)
        .into_par_iter()
        .map(|held_out| {
            if stopped() {
                return Vec::new();
            }
            let learned: Vec<Labelled<'_>> = rows
                .iter()
                .zip(&all)
                .filter(|(row, _)| fold(**row) != held_out)
                .map(|(row, features)| (features.as_slice(), scan.row(*row).label as u32))
                .collect();
            let model = Model::train(classes, bits, &learned);
            let held = rows.iter().zip(&all).enumerate();
            held.filter(|(_, (row, _))| fold(**row) == held_out)
                .map(|(index, (_, features))| {
                    let mut out = vec![0.0; classes];
                    model.probabilities(features, &mut out);
                    (index, out)
                })
                .collect()
        })
        .collect();
    if stopped() {
        return Err(CheckError::Stopped);
    }
    let mut probabilities = vec![0.0; rows.len() * classes];
    for (index, row) in of_folds.into_iter().flatten() {
        probabilities[index * classes..][..classes].copy_from_slice(&row);
    }
    Ok((rows, probabilities))
}
