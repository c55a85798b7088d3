//! How the tokenizer of a model cuts the texts, on all rows or on some of them.

use std::cmp::Reverse;

use finetune_data::TextTokenizer;
use rayon::prelude::*;

use crate::data::Data;
use crate::error::Result;
use crate::finding::{EXAMPLES, ExampleRow, Finding, RowNumber};
use crate::scan::Scan;

/// Rows that are tokenized. Of more, these are spread evenly over all.
const MOST_ROWS: u64 = 8_000;
/// A length that no text is cut at.
const UNCUT: usize = 1 << 20;

/// The tokens of the rows that were looked at.
pub(crate) struct Tokens {
    /// The row, its number of tokens with special ones, and how many of them are unknown.
    pub(crate) rows: Vec<(RowNumber, u32, u32)>,
    /// The length at which rows are cut.
    pub(crate) max_length: usize,
    /// Whether all rows were looked at.
    pub(crate) all: bool,
    /// Whether the vocabulary has a token for what it does not know.
    pub(crate) has_unknown: bool,
}

impl Tokens {
    pub(crate) fn count(
        data: &Data<'_>,
        scan: &Scan,
        tokenizer: &TextTokenizer,
        max_length: usize,
    ) -> Result<Self> {
        let stride = (scan.rows.len() as u64).div_ceil(MOST_ROWS).max(1) as u32;
        let encoder = tokenizer.encoder(UNCUT, data.columns.is_pair())?;
        let unknown = ["[UNK]", "<unk>"]
            .iter()
            .find_map(|token| tokenizer.token_to_id(token));
        let mut rows = Vec::new();
        for (part, checked) in scan.parts.iter().zip(data.splits) {
            let chosen: Vec<RowNumber> =
                part.rows.clone().filter(|row| row % stride == 0).collect();
            let indices: Vec<u64> = chosen
                .iter()
                .map(|row| u64::from(row - part.rows.start))
                .collect();
            if indices.is_empty() {
                continue;
            }
            let mut texts = checked.split.select(&indices)?.texts(data.columns)?;
            let mut chosen = chosen.into_iter();
            loop {
                let some: Vec<_> = texts.by_ref().take(1024).collect::<Result<_, _>>()?;
                if some.is_empty() {
                    break;
                }
                let counted = some.par_iter().map(|text| {
                    let ids = encoder.encode(&text.first, text.second.as_deref())?.ids;
                    let unknown = ids.iter().filter(|id| Some(**id) == unknown).count();
                    Ok::<_, finetune_data::Error>((ids.len() as u32, unknown as u32))
                });
                let counted: Vec<(u32, u32)> = counted.collect::<Result<_, _>>()?;
                let numbered = chosen.by_ref().zip(counted);
                rows.extend(numbered.map(|(row, (tokens, unknown))| (row, tokens, unknown)));
            }
        }
        Ok(Self {
            rows,
            max_length,
            all: stride == 1,
            has_unknown: unknown.is_some(),
        })
    }

    /// Returns the length that this share of the rows does not exceed.
    pub(crate) fn quantile(&self, share: f64) -> u32 {
        let mut lengths: Vec<u32> = self.rows.iter().map(|(_, tokens, _)| *tokens).collect();
        lengths.sort_unstable();
        let at = (share * lengths.len() as f64).ceil() as usize;
        lengths.get(at.saturating_sub(1)).copied().unwrap_or(0)
    }

    /// Returns the number of tokens in all rows.
    pub(crate) fn total(&self) -> u64 {
        let lengths = self.rows.iter();
        lengths.map(|(_, tokens, _)| u64::from(*tokens)).sum()
    }

    /// Returns the mean length.
    pub(crate) fn mean(&self) -> f64 {
        self.total() as f64 / self.rows.len().max(1) as f64
    }

    /// Returns the rows for which `number` finds one, from their tokens and how many of them are unknown; those
    /// with the greatest first.
    pub(crate) fn greatest_first(
        &self,
        number: impl Fn(u32, u32) -> Option<u32>,
    ) -> Vec<(RowNumber, u32)> {
        let found = self.rows.iter();
        let mut found: Vec<(RowNumber, u32)> = found
            .filter_map(|(row, tokens, unknown)| Some((*row, number(*tokens, *unknown)?)))
            .collect();
        found.sort_by_key(|(row, number)| (Reverse(*number), *row));
        found
    }

    /// Returns a finding with these rows, and what `note` says of the numbers of the first ones.
    pub(crate) fn with_rows(
        &self,
        finding: Finding,
        rows: &[(RowNumber, u32)],
        note: impl Fn(u32) -> String,
    ) -> Finding {
        let example = |(row, number): &(RowNumber, u32)| ExampleRow {
            note: note(*number),
            ..ExampleRow::of(*row)
        };
        Finding {
            count: rows.len() as u64,
            of: self.rows.len() as u64,
            examples: rows.iter().take(EXAMPLES).map(example).collect(),
            ..finding
        }
    }

    /// Says how many rows were looked at, if not all.
    pub(crate) fn sample(&self) -> String {
        match self.all {
            true => String::new(),
            false => format!(", of {} rows spread evenly over all", self.rows.len()),
        }
    }
}
