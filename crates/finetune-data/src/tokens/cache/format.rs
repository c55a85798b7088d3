//! The header, labels and index entries of a token cache as bytes.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use finetune_task::{Labels, ProblemType, Task};

const MAGIC: &[u8; 8] = b"FTTOKENS";
/// Must be raised when the format or the meaning of its content changes, so that old caches are
/// rebuilt.
pub(crate) const VERSION: u32 = 4;
pub(super) const HEADER: u64 = 144;
/// Number of header bytes that the checksum covers; the checksum itself follows them.
pub(super) const HEADER_HASHED: usize = 112;
pub(super) const ENTRY: u64 = 20;

/// The layout of rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Whether ids take 4 bytes instead of 2.
    pub(crate) wide: bool,
    /// Whether rows are pairs, with type ids.
    pub(crate) pairs: bool,
    /// The kind of the rows' labels.
    pub(crate) labels: Option<ProblemType>,
    /// Number of classes, or of values per row; 0 without labels.
    pub(crate) outputs: u32,
}

impl Layout {
    pub(crate) fn new(wide: bool, pairs: bool, labels: Option<&Task>) -> Self {
        Self {
            wide,
            pairs,
            labels: labels.map(Task::problem_type),
            outputs: labels.map_or(0, Task::num_labels) as u32,
        }
    }

    pub(super) fn id_bytes(self) -> usize {
        if self.wide { 4 } else { 2 }
    }

    pub(super) fn token_bytes(self) -> u64 {
        self.id_bytes() as u64 + u64::from(self.pairs)
    }

    pub(super) fn label_bytes(self) -> u64 {
        match self.labels {
            None => 0,
            Some(ProblemType::SingleLabelClassification) => 4,
            Some(ProblemType::MultiLabelClassification) => u64::from(self.outputs).div_ceil(8),
            Some(ProblemType::Regression) => 8 * u64::from(self.outputs),
        }
    }

    pub(crate) fn has_classes(self) -> bool {
        matches!(self.labels, Some(kind) if kind != ProblemType::Regression)
    }

    /// Returns empty labels of the right kind.
    pub(super) fn no_labels(self, capacity: usize) -> Labels {
        let width = self.outputs as usize;
        let values = capacity.saturating_mul(width);
        match self.labels {
            None => Labels::None,
            Some(ProblemType::SingleLabelClassification) => {
                Labels::Classes(Vec::with_capacity(capacity))
            }
            Some(ProblemType::MultiLabelClassification) => Labels::MultiLabel {
                width,
                values: Vec::with_capacity(values),
            },
            Some(ProblemType::Regression) => Labels::Values {
                width,
                values: Vec::with_capacity(values),
            },
        }
    }
}

/// Appends the label of row `index` of a batch to `bytes`.
pub(super) fn write_label(labels: &Labels, index: usize, bytes: &mut Vec<u8>) {
    match labels {
        Labels::None => {}
        Labels::Classes(classes) => {
            let class = classes.get(index).copied().unwrap_or_default();
            bytes.extend(class.to_le_bytes());
        }
        Labels::MultiLabel { width, values } => {
            let bits = |marks: &[bool]| {
                let bit = |(i, &mark): (usize, &bool)| u8::from(mark) << i;
                marks.iter().enumerate().map(bit).sum::<u8>()
            };
            bytes.extend(row(values, *width, index).chunks(8).map(bits));
        }
        Labels::Values { width, values } => {
            let values = row(values, *width, index).iter();
            values.for_each(|value| bytes.extend(value.to_le_bytes()));
        }
    }
}

/// Appends the label in `bytes` to `labels`.
pub(super) fn read_label(bytes: &[u8], labels: &mut Labels) {
    match labels {
        Labels::None => {}
        Labels::Classes(classes) => classes.push(read_u32(bytes)),
        Labels::MultiLabel { width, values } => {
            let bit = |class: usize| bytes[class / 8] >> (class % 8) & 1;
            values.extend((0..*width).map(|class| bit(class) == 1));
        }
        Labels::Values { values, .. } => {
            let value = |bytes: &[u8]| f64::from_bits(read_u64(bytes));
            values.extend(bytes.chunks_exact(8).map(value));
        }
    }
}

/// Statistics of a tokenized data set, gathered while it is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) class_counts: Vec<u64>,
    pub(crate) truncated: u64,
    /// Number of rows of each length.
    pub(crate) lengths: Vec<u64>,
}

pub(super) struct Header {
    pub(super) layout: Layout,
    pub(super) rows: u64,
    pub(super) tokens: u64,
    pub(super) summary_len: u64,
    pub(super) key: [u8; 32],
    pub(super) fingerprint: [u8; 32],
}

impl Header {
    pub(super) fn index_offset(&self) -> Option<u64> {
        let labels = self.rows.checked_mul(self.layout.label_bytes())?;
        self.tokens
            .checked_mul(self.layout.token_bytes())?
            .checked_add(labels)?
            .checked_add(HEADER)
    }

    pub(super) fn file_len(&self) -> Option<u64> {
        let index = self.rows.checked_add(1)?.checked_mul(ENTRY)?;
        self.index_offset()?
            .checked_add(index)?
            .checked_add(self.summary_len)
    }

    pub(super) fn encode(&self) -> [u8; HEADER_HASHED] {
        let mut bytes = [0; HEADER_HASHED];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12] = u8::from(self.layout.wide);
        bytes[13] = u8::from(self.layout.pairs);
        bytes[14] = label_code(self.layout.labels);
        bytes[16..24].copy_from_slice(&self.rows.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.tokens.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.summary_len.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.layout.outputs.to_le_bytes());
        bytes[48..80].copy_from_slice(&self.key);
        bytes[80..112].copy_from_slice(&self.fingerprint);
        bytes
    }

    pub(super) fn decode(bytes: &[u8; HEADER as usize]) -> Result<Self, &'static str> {
        let u64_at = |at: usize| read_u64(&bytes[at..]);
        let hash_at = |at: usize| std::array::from_fn(|i| bytes[at + i]);
        if bytes[..8] != MAGIC[..] {
            return Err("not a token cache");
        }
        if bytes[8..12] != VERSION.to_le_bytes() {
            return Err("written by another version");
        }
        let kinds = [None].into_iter().chain(ProblemType::ALL.map(Some));
        let labels = kinds
            .into_iter()
            .find(|&kind| label_code(kind) == bytes[14])
            .ok_or("unknown label kind")?;
        Ok(Self {
            layout: Layout {
                wide: bytes[12] != 0,
                pairs: bytes[13] != 0,
                labels,
                outputs: read_u32(&bytes[40..]),
            },
            rows: u64_at(16),
            tokens: u64_at(24),
            summary_len: u64_at(32),
            key: hash_at(48),
            fingerprint: hash_at(80),
        })
    }
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Header {{ rows: {}, tokens: {} }}",
            self.rows, self.tokens
        )
    }
}

fn label_code(labels: Option<ProblemType>) -> u8 {
    match labels {
        None => 0,
        Some(ProblemType::SingleLabelClassification) => 1,
        Some(ProblemType::Regression) => 2,
        Some(ProblemType::MultiLabelClassification) => 3,
    }
}

/// Hashes what a model sees of the data, regardless of where they came from: `records` is the hash
/// of the records, `lengths` that of the row lengths, and `options` says how they were made.
pub(super) fn fingerprint(
    layout: Layout,
    options: &str,
    records: &[u8; 32],
    lengths: &[u8; 32],
) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"finetune tokens 1\0");
    hasher.update([
        u8::from(layout.wide),
        u8::from(layout.pairs),
        label_code(layout.labels),
    ]);
    hasher.update(layout.outputs.to_le_bytes());
    hasher.update(records);
    hasher.update(lengths);
    hasher.update(options);
    hasher.finalize().into()
}

pub(super) fn entry(start: u64, row: u64, file: u32) -> [u8; ENTRY as usize] {
    let mut bytes = [0; ENTRY as usize];
    bytes[..8].copy_from_slice(&start.to_le_bytes());
    bytes[8..16].copy_from_slice(&row.to_le_bytes());
    bytes[16..].copy_from_slice(&file.to_le_bytes());
    bytes
}

pub(super) fn read_u64(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[i]))
}

pub(super) fn read_u32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| bytes[i]))
}

/// Returns row `index` of a matrix with `width` columns, or an empty slice beyond its end.
fn row<T>(values: &[T], width: usize, index: usize) -> &[T] {
    let start = index.saturating_mul(width);
    let end = start.saturating_add(width);
    values.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Writes the labels of all rows and reads them back.
    fn round_trip(labels: &Labels, task: &Task, rows: usize) -> Labels {
        let layout = Layout::new(false, false, Some(task));
        let mut bytes = Vec::new();
        (0..rows).for_each(|row| write_label(labels, row, &mut bytes));
        let size = layout.label_bytes() as usize;
        assert_eq!(bytes.len(), rows * size);
        let mut read = layout.no_labels(rows);
        let labels = bytes.chunks_exact(size);
        labels.for_each(|label| read_label(label, &mut read));
        read
    }

    proptest! {
        #[test]
        fn labels_come_back(width in 1usize..40, rows in 0usize..9, bits: Vec<bool>, number: f64) {
            let names = (0..width).map(|i| i.to_string()).collect::<Vec<_>>();
            let mut values: Vec<bool> = bits.iter().copied().cycle().take(rows * width).collect();
            values.resize(rows * width, true);
            let labels = Labels::MultiLabel { width, values: values.clone() };
            prop_assert_eq!(&round_trip(&labels, &Task::MultiLabel(names.clone()), rows), &labels);
            let values = values.iter().map(|&value| f64::from(u8::from(value)) - number).collect();
            let labels = Labels::Values { width, values };
            prop_assert_eq!(&round_trip(&labels, &Task::Regression(names.clone()), rows), &labels);
            let labels = Labels::Classes((0..rows as u32).collect());
            prop_assert_eq!(&round_trip(&labels, &Task::Classes(names), rows), &labels);
        }
    }
}
