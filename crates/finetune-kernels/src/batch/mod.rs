//! The layout of a batch: sequences laid end to end, without padding.

mod device;

use std::{fmt, ops::Deref, sync::Arc};

pub(crate) use device::DeviceForms;

/// Where each sequence of a packed batch starts: `offsets[i]..offsets[i + 1]` are the rows of
/// sequence `i` in every `[tokens, hidden]` tensor. Cheap to clone, and clones share what backends
/// make of the bounds on their devices: that happens once per batch, not once per layer.
#[derive(Clone)]
pub struct Offsets {
    cumulative: Arc<[u32]>,
    forms: DeviceForms,
}

impl Offsets {
    /// Takes cumulative sequence lengths, `batch + 1` of them, that start at 0 and never decrease;
    /// `None` if they do not.
    pub fn new(cumulative: Vec<u32>) -> Option<Self> {
        let valid = cumulative.first() == Some(&0) && cumulative.is_sorted();
        valid.then(|| Self::of(cumulative))
    }

    /// Builds the offsets from the sequences' lengths.
    pub fn from_lengths(lengths: impl IntoIterator<Item = u32>) -> Self {
        let mut total = 0;
        let ends = lengths.into_iter().map(|length| {
            total += length;
            total
        });
        Self::of(std::iter::once(0).chain(ends).collect())
    }

    fn of(cumulative: Vec<u32>) -> Self {
        Self {
            cumulative: cumulative.into(),
            forms: DeviceForms::default(),
        }
    }

    /// Number of sequences.
    pub fn batch_size(&self) -> usize {
        self.cumulative.len() - 1
    }

    /// Number of tokens in all sequences together.
    pub fn num_tokens(&self) -> usize {
        self.cumulative.last().map_or(0, |&end| end as usize)
    }

    /// Length of the longest sequence.
    pub fn max_length(&self) -> usize {
        self.ranges().map(|range| range.len()).max().unwrap_or(0)
    }

    /// The rows of each sequence.
    pub fn ranges(&self) -> impl ExactSizeIterator<Item = std::ops::Range<usize>> + '_ {
        let bounds = self.cumulative.windows(2);
        bounds.map(|pair| pair[0] as usize..pair[1] as usize)
    }

    /// The first row of each sequence (its `[CLS]` token).
    pub fn first_rows(&self) -> &[u32] {
        &self.cumulative[..self.batch_size()]
    }

    /// What backends have made of the bounds on their devices.
    pub(crate) fn forms(&self) -> &DeviceForms {
        &self.forms
    }
}

impl fmt::Debug for Offsets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Offsets").field(&self.cumulative).finish()
    }
}

impl PartialEq for Offsets {
    fn eq(&self, other: &Self) -> bool {
        self.cumulative == other.cumulative
    }
}

impl Eq for Offsets {}

/// Row numbers of a table, one per token. Made from a `Vec<u32>` and the like and read as a slice.
/// Cheap to clone, and clones share what backends make of the numbers on their devices.
#[derive(Clone)]
pub struct Indices {
    rows: Arc<[u32]>,
    forms: DeviceForms,
}

impl Indices {
    /// What backends have made of the numbers on their devices.
    pub(crate) fn forms(&self) -> &DeviceForms {
        &self.forms
    }
}

impl Deref for Indices {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        &self.rows
    }
}

impl<T: Into<Arc<[u32]>>> From<T> for Indices {
    fn from(rows: T) -> Self {
        Self {
            rows: rows.into(),
            forms: DeviceForms::default(),
        }
    }
}

impl FromIterator<u32> for Indices {
    fn from_iter<I: IntoIterator<Item = u32>>(rows: I) -> Self {
        rows.into_iter().collect::<Vec<_>>().into()
    }
}

impl fmt::Debug for Indices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rows.fmt(f)
    }
}

impl PartialEq for Indices {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows
    }
}

impl Eq for Indices {}

/// What the embedding operation reads: one id, position, and token type per token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedTokens {
    /// Vocabulary ids, `[tokens]`.
    pub ids: Indices,
    /// Position of each token in its sequence, `[tokens]`.
    pub positions: Indices,
    /// Token type (segment) of each token, `[tokens]`.
    pub type_ids: Indices,
    /// The sequences' bounds.
    pub offsets: Offsets,
    /// If given, the gradient of the word table is that of these rows alone, `[used, hidden]` in
    /// their order, instead of one of the whole table, `[vocab_size, hidden]`, that is zero nearly
    /// everywhere.
    pub used_rows: Option<UsedRows>,
}

impl PackedTokens {
    /// The same tokens, with the rows that they use.
    pub fn with_used_rows(self) -> Self {
        Self {
            used_rows: Some(UsedRows::of(&self.ids)),
            ..self
        }
    }
}

/// The rows of a table that are used at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedRows {
    /// Their numbers, ascending, each once.
    pub rows: Arc<[u32]>,
    /// For each use, the place of its row in `rows`.
    pub places: Indices,
}

impl UsedRows {
    /// Takes uses in any order.
    pub fn of(uses: &[u32]) -> Self {
        let mut rows = uses.to_vec();
        rows.sort_unstable();
        rows.dedup();
        let place = |row| rows.partition_point(|other| other < row) as u32;
        Self {
            places: uses.iter().map(place).collect(),
            rows: rows.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_know_their_sequences() {
        let offsets = Offsets::from_lengths([3, 1, 4]);
        assert_eq!(offsets.batch_size(), 3);
        assert_eq!(offsets.num_tokens(), 8);
        assert_eq!(offsets.max_length(), 4);
        assert_eq!(offsets.first_rows(), [0, 3, 4]);
        assert_eq!(offsets.ranges().collect::<Vec<_>>(), [0..3, 3..4, 4..8]);
    }

    #[test]
    fn used_rows_are_ascending_and_found_again() {
        let used = UsedRows::of(&[7, 2, 7, 0, 2]);
        assert_eq!(*used.rows, [0, 2, 7]);
        assert_eq!(*used.places, [2, 1, 2, 0, 1]);
        assert!(UsedRows::of(&[]).rows.is_empty());
    }

    #[test]
    fn offsets_must_start_at_zero_and_grow() {
        assert!(Offsets::new(vec![]).is_none());
        assert!(Offsets::new(vec![1, 2]).is_none());
        assert!(Offsets::new(vec![0, 3, 2]).is_none());
        assert!(Offsets::new(vec![0, 2, 2]).is_some());
    }
}
