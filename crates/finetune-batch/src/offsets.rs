//! The bounds of a batch's sequences.

use std::{fmt, ops::Range, sync::Arc};

use crate::DeviceForms;

/// The bounds of the sequences in a packed batch: `offsets[i]..offsets[i + 1]` are the rows of
/// sequence `i` in every `[tokens, hidden]` tensor. Clones are cheap and share the bounds on devices,
/// which are uploaded once per batch, not once per layer.
#[derive(Clone)]
pub struct Offsets {
    cumulative: Arc<[u32]>,
    forms: DeviceForms,
}

impl Offsets {
    /// Creates offsets from the `batch + 1` cumulative lengths, or returns `None` unless they start at
    /// 0 and never decrease.
    pub fn new(cumulative: Vec<u32>) -> Option<Self> {
        let valid = cumulative.first() == Some(&0) && cumulative.is_sorted();
        valid.then(|| Self::of(cumulative))
    }

    /// Creates offsets from the sequences' lengths.
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

    /// Returns the number of sequences.
    pub fn batch_size(&self) -> usize {
        self.cumulative.len() - 1
    }

    /// Returns the number of tokens of all sequences together.
    pub fn num_tokens(&self) -> usize {
        self.cumulative.last().map_or(0, |&end| end as usize)
    }

    /// Returns the length of the longest sequence.
    pub fn max_length(&self) -> usize {
        self.ranges().map(|range| range.len()).max().unwrap_or(0)
    }

    /// Iterates over the row ranges of the sequences.
    pub fn ranges(&self) -> impl ExactSizeIterator<Item = Range<usize>> + '_ {
        let bounds = self.cumulative.windows(2);
        bounds.map(|pair| pair[0] as usize..pair[1] as usize)
    }

    /// Returns the rows of a sequence; empty beyond the last.
    pub fn range(&self, sequence: usize) -> Range<usize> {
        let end = self.num_tokens();
        let bound = |index| self.cumulative.get(index).map_or(end, |&at| at as usize);
        bound(sequence)..bound(sequence.saturating_add(1))
    }

    /// Returns the first row of each sequence (its `[CLS]` token).
    pub fn first_rows(&self) -> &[u32] {
        &self.cumulative[..self.batch_size()]
    }

    /// Returns the device forms of the bounds.
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
