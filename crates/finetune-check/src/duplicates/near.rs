//! Near duplicates: pairs that MinHash proposes and whose words are compared.

use std::collections::HashMap;

use rayon::prelude::*;

use crate::data::Data;
use crate::duplicates::edit::similarity;
use crate::duplicates::groups::Groups;
use crate::error::{CheckError, Result};
use crate::finding::RowNumber;
use crate::scan::fold::folded;
use crate::scan::min_hash::BANDS;
use crate::scan::{FEWEST_WORDS, Scan, joined, words};

/// Two groups of rows whose texts are alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NearPair {
    /// The first row of the group that comes first.
    pub(crate) first: RowNumber,
    /// The first row of the other.
    pub(crate) second: RowNumber,
    /// The share of words in common, in order.
    pub(crate) similarity: f64,
}

/// Rows with equal keys that are compared with each other. Of more, which are of one mould, each is compared
/// with the first and with the last before it.
const COMPARED: usize = 8;
/// Words that are in memory at once, at 4 bytes each.
const WORDS: u64 = 48 << 20;

/// Finds the pairs that are alike, in order.
pub(crate) fn pairs(
    data: &Data<'_>,
    scan: &Scan,
    groups: &Groups,
    at_least: f64,
    stopped: &mut dyn FnMut() -> bool,
) -> Result<Vec<NearPair>> {
    let candidates = candidates(scan, groups);
    let mut found = Vec::new();
    let mut rest = candidates.as_slice();
    while !rest.is_empty() {
        if stopped() {
            return Err(CheckError::Stopped);
        }
        let mut needed: HashMap<RowNumber, Vec<u32>> = HashMap::new();
        let (mut words, mut some) = (0, 0);
        for pair in rest {
            if words >= WORDS {
                break;
            }
            some += 1;
            for row in [pair.0, pair.1] {
                if needed.insert(row, Vec::new()).is_none() {
                    words += u64::from(scan.row(row).words);
                }
            }
        }
        let (chunk, more) = rest.split_at(some);
        read_words(data, scan, &mut needed)?;
        let alike = chunk.par_iter().filter_map(|&(first, second)| {
            let (a, b) = (needed.get(&first)?, needed.get(&second)?);
            Some(NearPair {
                first,
                second,
                similarity: similarity(a, b, at_least)?,
            })
        });
        found.extend(alike.collect::<Vec<_>>());
        rest = more;
    }
    Ok(found)
}

/// Returns the pairs of groups that agree in a band.
fn candidates(scan: &Scan, groups: &Groups) -> Vec<(RowNumber, RowNumber)> {
    let heads: Vec<RowNumber> = (0..scan.rows.len() as u32)
        .filter(|row| groups.first_of(*row) == *row && scan.row(*row).words >= FEWEST_WORDS)
        .collect();
    let mut pairs = Vec::new();
    for band in 0..BANDS {
        let mut keys: Vec<(u32, RowNumber)> = heads
            .iter()
            .map(|row| (scan.bands[*row as usize][band], *row))
            .collect();
        keys.par_sort_unstable();
        for same in keys.chunk_by(|a, b| a.0 == b.0) {
            for (at, (_, row)) in same.iter().enumerate() {
                let earlier = match at <= COMPARED {
                    true => same[..at].iter(),
                    false => same[at - COMPARED / 2..at].iter(),
                };
                let heads = same.iter().take(COMPARED / 2).filter(|_| at > COMPARED);
                pairs.extend(earlier.chain(heads).map(|(_, other)| (*other, *row)));
            }
        }
        pairs.par_sort_unstable();
        pairs.dedup();
    }
    pairs
}

/// Reads the words of the rows that are needed, each file once.
fn read_words(
    data: &Data<'_>,
    scan: &Scan,
    needed: &mut HashMap<RowNumber, Vec<u32>>,
) -> Result<()> {
    for (part, checked) in scan.parts.iter().zip(data.splits) {
        let mut rows: Vec<RowNumber> = needed
            .keys()
            .copied()
            .filter(|row| part.rows.contains(row))
            .collect();
        rows.sort_unstable();
        if rows.is_empty() {
            continue;
        }
        let indices: Vec<u64> = rows
            .iter()
            .map(|row| u64::from(row - part.rows.start))
            .collect();
        let texts = checked.split.select(&indices)?.texts(data.columns)?;
        for (row, text) in rows.iter().zip(texts) {
            let text = text?;
            let text = joined(&text.first, text.second.as_deref());
            needed.insert(*row, words::words(&folded(&text)));
        }
    }
    Ok(())
}
