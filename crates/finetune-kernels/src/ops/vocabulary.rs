//! The operands of the cross-entropy over a vocabulary.

use burn::backend::{Backend, ExtensionType, tensor::FloatTensor};

use super::Precision;
use crate::Indices;

/// The operands of [`EncoderOps::vocabulary_cross_entropy`](super::EncoderOps::vocabulary_cross_entropy).
#[derive(Clone, Debug, ExtensionType)]
pub struct VocabularyCrossEntropy<B: Backend> {
    /// `[rows, width]`
    pub x: FloatTensor<B>,
    /// A row per word, `[vocab_size, width]`: the word table of a model whose decoder is tied to it.
    pub table: FloatTensor<B>,
    /// `[vocab_size]`
    pub bias: FloatTensor<B>,
    /// The word that is right for each row, `[rows]`.
    pub targets: Indices,
    /// The divisor of the summed losses.
    pub denominator: f64,
    /// Precision of the matrix multiplications.
    pub precision: Precision,
}

/// Maximum number of logits in memory, unless [`FEWEST_ROWS`] have more.
const LOGITS: usize = 1 << 24;
/// Minimum number of rows whose logits are computed at once: with few of them, adding to the table's
/// gradient takes longer than multiplying.
const FEWEST_ROWS: usize = 128;

/// Returns the number of rows whose logits are computed at once. Chunks have nearly equal lengths.
pub(crate) fn rows_per_chunk(rows: usize, vocab_size: usize) -> usize {
    let most = (LOGITS / vocab_size.max(1)).max(FEWEST_ROWS);
    rows.div_ceil(rows.div_ceil(most).max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_equal_and_bounded() {
        for (rows, vocab_size, expected) in [
            (0, 30_522, 1),
            (1, 30_522, 1),
            (549, 30_522, 549),
            (614, 30_522, 307),
            (129, 250_002, 65),
            (5000, 0, 5000),
        ] {
            assert_eq!(rows_per_chunk(rows, vocab_size), expected, "{rows}");
        }
    }
}
