//! The tokens of a batch.

use crate::{Indices, Offsets, UsedRows};

/// Concatenated token sequences without padding: an id, a position, and a token type per token, and the
/// bounds of the sequences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedTokens {
    /// Vocabulary ids, `[tokens]`.
    pub ids: Indices,
    /// Position of each token in its sequence, `[tokens]`.
    pub positions: Indices,
    /// Token type (segment) of each token, `[tokens]`.
    pub type_ids: Indices,
    /// The bounds of the sequences.
    pub offsets: Offsets,
    /// If given, the gradient of the word table has these rows only, `[used, hidden]` in their order,
    /// instead of all `[vocab_size, hidden]`, of which most are zero.
    pub used_rows: Option<UsedRows>,
}

impl PackedTokens {
    /// Adds the rows of the word table that the tokens use.
    pub fn with_used_rows(self) -> Self {
        Self {
            used_rows: Some(UsedRows::of(&self.ids)),
            ..self
        }
    }

    /// Selects sequences by their indices in the batch, in the given order. A sequence beyond the last
    /// has no tokens.
    pub fn select(&self, sequences: &[usize]) -> Self {
        let ranges: Vec<_> = sequences
            .iter()
            .map(|&sequence| self.offsets.range(sequence))
            .collect();
        let take = |values: &Indices| {
            let chosen = ranges.iter().map(|range| &values[range.clone()]);
            Indices::from(chosen.collect::<Vec<_>>().concat())
        };
        Self {
            ids: take(&self.ids),
            positions: take(&self.positions),
            type_ids: take(&self.type_ids),
            offsets: Offsets::from_lengths(ranges.iter().map(|range| range.len() as u32)),
            used_rows: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> PackedTokens {
        PackedTokens {
            ids: [1, 2, 3, 4, 5, 6].into(),
            type_ids: [0, 0, 0, 0, 1, 1].into(),
            positions: [0, 1, 0, 0, 1, 2].into(),
            offsets: Offsets::from_lengths([2, 1, 3]),
            used_rows: None,
        }
    }

    #[test]
    fn all_sequences_in_order_are_the_batch() {
        assert_eq!(tokens().select(&[0, 1, 2]), tokens());
    }

    #[test]
    fn sequences_are_taken_in_the_order_asked_for() {
        let chosen = tokens().select(&[2, 0]);
        assert_eq!(*chosen.ids, [4, 5, 6, 1, 2]);
        assert_eq!(*chosen.type_ids, [0, 1, 1, 0, 0]);
        assert_eq!(chosen.offsets, Offsets::from_lengths([3, 2]));
        assert!(tokens().select(&[3]).ids.is_empty());
    }
}
