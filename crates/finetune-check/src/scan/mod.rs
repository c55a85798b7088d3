//! One pass over all rows, which keeps less than 200 bytes of each.

pub(crate) mod columns;
pub(crate) mod faults;
pub(crate) mod fold;
mod language;
pub(crate) mod min_hash;
pub(crate) mod words;

use std::ops::{ControlFlow, Range};

use finetune_data::{Columns, LabelDecoder, RowsWithTexts};
use finetune_task::Labels;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use whatlang::Lang;

use crate::data::{Data, Role};
use crate::error::{CheckError, Result};
use crate::scan::columns::ColumnFacts;
use crate::scan::faults::Faults;
use crate::scan::min_hash::{BANDS, MinHash};

/// The label of a row without one.
pub(crate) const UNLABELLED: u64 = u64::MAX;
/// Batches whose rows are looked at together, on all cores.
const BATCHES: usize = 8;
/// Fewest words of a text that has near duplicates: with fewer, one word may change what is said.
pub(crate) const FEWEST_WORDS: u32 = 8;

/// What is known of one row.
pub(crate) struct Row {
    /// Hash of its text as it stands.
    pub(crate) exact: u128,
    /// Hash of its folded text.
    pub(crate) folded: u128,
    /// Its class, or a hash of its classes or values; [`UNLABELLED`] without a label.
    pub(crate) label: u64,
    /// Number of words.
    pub(crate) words: u32,
    /// Number of characters.
    pub(crate) characters: u32,
    pub(crate) language: Option<Lang>,
    pub(crate) faults: Faults,
    /// Whether the text is one word with a digit in it, as identifiers are.
    pub(crate) is_identifier: bool,
}

/// The rows of one split among all rows.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) role: Role,
    pub(crate) rows: Range<u32>,
    /// Number of rows of each class; empty without classes.
    pub(crate) classes: Vec<u64>,
}

/// All rows, numbered through all splits.
pub(crate) struct Scan {
    pub(crate) parts: Vec<Part>,
    pub(crate) rows: Vec<Row>,
    /// The keys of each row's bands.
    pub(crate) bands: Vec<[u32; BANDS]>,
    pub(crate) columns: Vec<ColumnFacts>,
}

impl Scan {
    /// Reads all rows. `progress` receives the number of rows done, and may stop.
    pub(crate) fn new(
        data: &Data<'_>,
        progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        let total: u64 = data.splits.iter().map(|split| split.split.len()).sum();
        if u32::try_from(total).is_err() {
            return Err(CheckError::TooManyRows { rows: total });
        }
        let mut scan = Self {
            parts: Vec::new(),
            rows: Vec::with_capacity(total as usize),
            bands: Vec::with_capacity(total as usize),
            columns: Vec::new(),
        };
        let hashes = MinHash::new();
        for checked in data.splits {
            let start = scan.rows.len() as u32;
            let decoder = match data.task {
                Some(task) => Some(LabelDecoder::new(task, &checked.split, data.columns)?),
                None => None,
            };
            let mut classes = vec![0; data.task.map_or(0, |task| task.class_names().len())];
            let (schema, batches) = checked.split.rows_with_texts(data.columns, true)?;
            if scan.columns.is_empty() && data.task.is_some() {
                let fields = schema.fields().iter().map(|field| field.name());
                let others = fields.filter(|name| is_other(data.columns, name));
                scan.columns = others.map(|name| ColumnFacts::new(name)).collect();
            }
            let mut batches = batches.fuse();
            loop {
                let some: Vec<RowsWithTexts> =
                    batches.by_ref().take(BATCHES).collect::<Result<_, _>>()?;
                if some.is_empty() {
                    break;
                }
                for rows in &some {
                    let labels = match &decoder {
                        Some(decoder) => decoder.decode(&rows.rows)?,
                        None => Labels::None,
                    };
                    scan.add(rows, &labels, &mut classes, &hashes);
                }
                if progress(scan.rows.len() as u64).is_break() {
                    return Err(CheckError::Stopped);
                }
            }
            if scan.rows.len() as u32 == start {
                return Err(CheckError::NoRows {
                    split: checked.split.name().to_owned(),
                });
            }
            scan.parts.push(Part {
                role: checked.role,
                rows: start..scan.rows.len() as u32,
                classes,
            });
        }
        Ok(scan)
    }

    fn add(
        &mut self,
        rows: &RowsWithTexts,
        labels: &Labels,
        classes: &mut [u64],
        hashes: &MinHash,
    ) {
        let keys: Vec<u64> = (0..rows.texts.len()).map(|row| key(labels, row)).collect();
        let found: Vec<(Row, [u32; BANDS])> = rows
            .texts
            .par_iter()
            .zip(&keys)
            .map(|(texts, key)| looked_at(texts.as_ref(), *key, hashes))
            .collect();
        for (row, bands) in found {
            self.rows.push(row);
            self.bands.push(bands);
        }
        for row in 0..keys.len() {
            for class in labels.classes_of(row) {
                if let Some(count) = classes.get_mut(class) {
                    *count += 1;
                }
            }
        }
        for column in &mut self.columns {
            match rows.rows.batch.column_by_name(&column.name) {
                Some(array) => column.add(array, &keys),
                // A column that only some files have says nothing about all rows.
                None => column.values = None,
            }
        }
    }

    /// Returns the role of a row.
    pub(crate) fn role(&self, row: u32) -> Role {
        self.part(row).role
    }

    /// Returns the split of a row.
    pub(crate) fn part(&self, row: u32) -> &Part {
        let part = self.parts.partition_point(|part| part.rows.end <= row);
        &self.parts[part.min(self.parts.len() - 1)]
    }

    /// Returns a row.
    pub(crate) fn row(&self, row: u32) -> &Row {
        &self.rows[row as usize]
    }

    /// Returns the numbers of the rows that are as `is` says.
    pub(crate) fn rows_that(&self, is: impl Fn(&Row) -> bool) -> Vec<u32> {
        let rows = (0..).zip(&self.rows);
        rows.filter(|(_, row)| is(row))
            .map(|(row, _)| row)
            .collect()
    }
}

fn is_other(columns: &Columns, name: &String) -> bool {
    !columns.text.contains(name) && !columns.label.contains(name)
}

/// Returns a number that is equal for equal labels: the class where there is one.
fn key(labels: &Labels, row: usize) -> u64 {
    let bytes: Vec<u8> = match labels {
        Labels::None => return UNLABELLED,
        Labels::Classes(classes) => {
            return classes
                .get(row)
                .map_or(UNLABELLED, |class| u64::from(*class));
        }
        Labels::MultiLabel { width, values } => {
            let row = values.iter().skip(row * width).take(*width);
            row.map(|mark| u8::from(*mark)).collect()
        }
        Labels::Values { width, values } => {
            let row = values.iter().skip(row * width).take(*width);
            row.flat_map(|value| value.to_le_bytes()).collect()
        }
    };
    words::hash(&bytes)
}

/// Joins a pair of texts into one, with a character between them that no text has.
pub(crate) fn joined(first: &str, second: Option<&str>) -> String {
    match second {
        None => first.to_owned(),
        Some(second) => format!("{first}\n\u{1f}\n{second}"),
    }
}

fn looked_at(
    texts: Option<&(String, Option<String>)>,
    label: u64,
    hashes: &MinHash,
) -> (Row, [u32; BANDS]) {
    let (first, second) = texts.map_or(("", None), |(a, b)| (a.as_str(), b.as_deref()));
    let text = joined(first, second);
    let folded = fold::folded(&text);
    let words = words::words(&folded);
    let bands = match words.len() as u32 >= FEWEST_WORDS {
        true => hashes.bands(&words),
        false => [0; BANDS],
    };
    let shown = second.map_or_else(|| first.to_owned(), |second| format!("{first} {second}"));
    let row = Row {
        exact: digest(&text),
        folded: digest(&folded),
        label,
        words: words.len() as u32,
        characters: u32::try_from(shown.chars().count()).unwrap_or(u32::MAX),
        language: language::language(&shown),
        faults: Faults::of(&shown),
        is_identifier: is_identifier(&shown),
    };
    (row, bands)
}

fn digest(text: &str) -> u128 {
    let digest = Sha256::digest(text.as_bytes());
    let half: [u8; 16] = std::array::from_fn(|at| digest[at]);
    u128::from_le_bytes(half)
}

/// Whether a text is a single word with a digit in it, of the characters that identifiers have.
fn is_identifier(text: &str) -> bool {
    let text = text.trim();
    text.len() >= 4
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/{}".contains(&byte))
}
