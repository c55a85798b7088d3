//! Writes the rows that are kept, and the log of those that are not.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use finetune_data::arrow::array::BooleanArray;
use finetune_data::arrow::compute::filter_record_batch;
use finetune_data::{Error, ParquetSink, Place};
use finetune_files::IoContext as _;
use serde::Serialize;

use crate::clean::plan::Reason;
use crate::clean::{CleanedSplit, LOG};
use crate::data::{Data, Role};
use crate::error::Result;
use crate::finding::{Location, RowNumber};
use crate::scan::Scan;

/// A line of the log.
#[derive(Serialize)]
struct Removed<'a> {
    #[serde(flatten)]
    row: Location,
    finding: &'static str,
    /// The row that is kept in its place, or that contradicts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<&'a Location>,
}

/// Writes a file for each split, and the log.
pub(crate) fn splits(
    data: &Data<'_>,
    scan: &Scan,
    removed: &BTreeMap<RowNumber, Reason>,
    directory: &Path,
) -> Result<Vec<CleanedSplit>> {
    let mut places: BTreeMap<RowNumber, Location> = BTreeMap::new();
    for (row, reason) in removed {
        for row in [Some(*row), reason.other].into_iter().flatten() {
            places.insert(row, unknown_place(scan.role(row)));
        }
    }
    let mut written = Vec::new();
    for (part, checked) in scan.parts.iter().zip(data.splits) {
        let path = directory.join(format!("{}.parquet", part.role.name()));
        let (schema, batches) = checked.split.rows_with_texts(data.columns, true)?;
        let mut sink = ParquetSink::create(&path, &schema, &[])?;
        let mut row = part.rows.start;
        let mut kept = 0;
        for rows in batches {
            let rows = rows?.rows;
            let numbers = row..row + rows.batch.num_rows() as u32;
            let keep: Vec<bool> = numbers
                .clone()
                .map(|row| !removed.contains_key(&row))
                .collect();
            kept += keep.iter().filter(|keep| **keep).count() as u64;
            for (index, number) in numbers.clone().enumerate() {
                if let (Some(known), Some(place)) = (places.get_mut(&number), rows.place(index)) {
                    *known = located(part.role, &place);
                }
            }
            row = numbers.end;
            let left = filter_record_batch(&rows.batch, &BooleanArray::from(keep));
            let left = left.map_err(|error| Error::Arrow {
                context: format!("writing {}", path.display()),
                message: error.to_string(),
            })?;
            sink.write(&left)?;
        }
        sink.finish()?;
        written.push(CleanedSplit {
            role: part.role,
            kept,
            removed: part.rows.len() as u64 - kept,
        });
    }
    let path = directory.join(LOG);
    let mut log = BufWriter::new(File::create(&path).context("create", &path)?);
    for (row, reason) in removed {
        let Some(place) = places.get(row) else {
            continue;
        };
        let line = Removed {
            row: place.clone(),
            finding: reason.finding,
            other: reason.other.and_then(|other| places.get(&other)),
        };
        let line = serde_json::to_string(&line).map_err(std::io::Error::other);
        let line = line.context("write", &path)?;
        writeln!(log, "{line}").context("write", &path)?;
    }
    log.flush().context("write", &path)?;
    Ok(written)
}

fn unknown_place(split: Role) -> Location {
    Location {
        split,
        file: String::new(),
        row: 0,
        line: None,
    }
}

fn located(split: Role, place: &Place) -> Location {
    Location {
        split,
        file: place.file.display().to_string(),
        row: place.row,
        line: place.line,
    }
}
