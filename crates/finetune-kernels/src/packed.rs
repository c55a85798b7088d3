//! The one batch layout: sequences laid end to end, without padding.

use std::sync::Arc;

use crate::Precision;

/// Where each sequence of a packed batch starts: `offsets[i]..offsets[i + 1]` are the rows of
/// sequence `i` in every `[tokens, hidden]` tensor. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offsets(Arc<[u32]>);

impl Offsets {
    /// Takes cumulative sequence lengths, `batch + 1` of them, that start at 0 and never decrease;
    /// `None` if they do not.
    pub fn new(cumulative: Vec<u32>) -> Option<Self> {
        let valid = cumulative.first() == Some(&0) && cumulative.is_sorted();
        valid.then(|| Self(cumulative.into()))
    }

    /// Builds the offsets from the sequences' lengths.
    pub fn from_lengths(lengths: impl IntoIterator<Item = u32>) -> Self {
        let mut total = 0;
        let cumulative = std::iter::once(0)
            .chain(lengths.into_iter().map(|length| {
                total += length;
                total
            }))
            .collect();
        Self(cumulative)
    }

    /// Number of sequences.
    pub fn batch_size(&self) -> usize {
        self.0.len() - 1
    }

    /// Number of tokens of all sequences together.
    pub fn num_tokens(&self) -> usize {
        self.0.last().map_or(0, |&end| end as usize)
    }

    /// Length of the longest sequence.
    pub fn max_length(&self) -> usize {
        self.ranges().map(|range| range.len()).max().unwrap_or(0)
    }

    /// The rows of each sequence.
    pub fn ranges(&self) -> impl ExactSizeIterator<Item = std::ops::Range<usize>> + '_ {
        self.0
            .windows(2)
            .map(|pair| pair[0] as usize..pair[1] as usize)
    }

    /// The first row of each sequence (its `[CLS]` token).
    pub fn first_rows(&self) -> &[u32] {
        &self.0[..self.batch_size()]
    }
}

/// What the embedding operation reads: one id, position and token type per token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedTokens {
    /// Vocabulary ids, `[tokens]`.
    pub ids: Arc<[u32]>,
    /// Position of each token in its sequence, `[tokens]`.
    pub positions: Arc<[u32]>,
    /// Token type (segment) of each token, `[tokens]`.
    pub type_ids: Arc<[u32]>,
    /// The sequences' bounds.
    pub offsets: Offsets,
    /// With it the gradient of the word table is that of these rows alone, `[used, hidden]` in
    /// their order, not one of the whole table, `[vocab_size, hidden]`, that is zero nearly
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
    /// For each use the place of its row in `rows`.
    pub places: Arc<[u32]>,
}

impl UsedRows {
    /// Of uses in any order.
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

/// What attention needs to know of its inputs: which queries look at which keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttentionShape {
    /// Bounds of each sequence's queries.
    pub queries: Offsets,
    /// Bounds of each sequence's keys and values; as many sequences. Other bounds than those of the
    /// queries where only some tokens' results are wanted.
    pub keys: Offsets,
    /// Number of heads; the width is a multiple of it.
    pub heads: usize,
    /// Of the products of queries, keys and values.
    pub precision: Precision,
}

impl AttentionShape {
    /// Every token of a sequence looks at every other.
    pub fn of_all(offsets: &Offsets, heads: usize, precision: Precision) -> Self {
        Self {
            queries: offsets.clone(),
            keys: offsets.clone(),
            heads,
            precision,
        }
    }

    /// The first token of each sequence looks at all of them.
    pub fn of_first(offsets: &Offsets, heads: usize, precision: Precision) -> Self {
        Self {
            queries: Offsets::from_lengths(vec![1; offsets.batch_size()]),
            keys: offsets.clone(),
            heads,
            precision,
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
