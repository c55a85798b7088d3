//! The bounds of a batch's sequences.

use std::{fmt, ops::Range, sync::Arc};

use crate::DeviceForms;

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
    pub fn ranges(&self) -> impl ExactSizeIterator<Item = Range<usize>> + '_ {
        let bounds = self.cumulative.windows(2);
        bounds.map(|pair| pair[0] as usize..pair[1] as usize)
    }

    /// The rows of one sequence; empty beyond the last.
    pub fn range(&self, sequence: usize) -> Range<usize> {
        let end = self.num_tokens();
        let bound = |index| self.cumulative.get(index).map_or(end, |&at| at as usize);
        bound(sequence)..bound(sequence.saturating_add(1))
    }

    /// The first row of each sequence (its `[CLS]` token).
    pub fn first_rows(&self) -> &[u32] {
        &self.cumulative[..self.batch_size()]
    }

    /// What backends have made of the bounds on their devices.
    pub fn forms(&self) -> &DeviceForms {
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
        assert_eq!([1, 3].map(|sequence| offsets.range(sequence)), [3..4, 8..8]);
    }

    #[test]
    fn offsets_must_start_at_zero_and_grow() {
        assert!(Offsets::new(vec![]).is_none());
        assert!(Offsets::new(vec![1, 2]).is_none());
        assert!(Offsets::new(vec![0, 3, 2]).is_none());
        assert!(Offsets::new(vec![0, 2, 2]).is_some());
    }
}
