//! From the data's batches to the model's tokens: the one place that converts them.

use finetune_data::PackedBatch;
use finetune_kernels::{Offsets, PackedTokens};

use crate::InferError;

/// The tokens of a batch as the model takes them.
///
/// # Errors
/// [`InferError::Offsets`].
pub fn packed_tokens(batch: &PackedBatch) -> Result<PackedTokens, InferError> {
    Ok(PackedTokens {
        ids: batch.ids.as_slice().into(),
        positions: batch.positions.as_slice().into(),
        type_ids: batch.type_ids.as_slice().into(),
        offsets: offsets(batch)?,
        used_rows: None,
    })
}

/// The bounds of a batch's sequences.
///
/// # Errors
/// [`InferError::Offsets`].
pub fn offsets(batch: &PackedBatch) -> Result<Offsets, InferError> {
    Offsets::new(batch.offsets.clone()).ok_or(InferError::Offsets)
}

/// The tokens of these rows of a batch, as a batch of their own. Rows are counted from the batch's
/// first.
pub fn select(batch: &PackedBatch, rows: &[usize]) -> PackedTokens {
    let range = |row: usize| batch.offsets[row] as usize..batch.offsets[row + 1] as usize;
    let take = |values: &[u32]| {
        let rows = rows.iter().flat_map(|&row| &values[range(row)]);
        rows.copied().collect::<Vec<_>>().into()
    };
    PackedTokens {
        ids: take(&batch.ids),
        positions: take(&batch.positions),
        type_ids: take(&batch.type_ids),
        offsets: Offsets::from_lengths(rows.iter().map(|&row| range(row).len() as u32)),
        used_rows: None,
    }
}

#[cfg(test)]
mod tests {
    use finetune_task::Labels;

    use super::*;

    fn batch() -> PackedBatch {
        PackedBatch {
            ids: vec![1, 2, 3, 4, 5, 6],
            type_ids: vec![0, 0, 0, 0, 1, 1],
            positions: vec![0, 1, 0, 0, 1, 2],
            offsets: vec![0, 2, 3, 6],
            rows: vec![7, 8, 9],
            labels: Labels::None,
        }
    }

    #[test]
    fn all_rows_in_order_are_the_batch() {
        let (whole, chosen) = (
            packed_tokens(&batch()).unwrap(),
            select(&batch(), &[0, 1, 2]),
        );
        assert_eq!(whole.ids, chosen.ids);
        assert_eq!(whole.positions, chosen.positions);
        assert_eq!(whole.type_ids, chosen.type_ids);
        let ranges = |tokens: &PackedTokens| tokens.offsets.ranges().collect::<Vec<_>>();
        assert_eq!(ranges(&whole), ranges(&chosen));
    }

    #[test]
    fn rows_are_taken_in_the_order_asked_for() {
        let tokens = select(&batch(), &[2, 0]);
        assert_eq!(*tokens.ids, [4, 5, 6, 1, 2]);
        assert_eq!(*tokens.type_ids, [0, 1, 1, 0, 0]);
        assert_eq!(tokens.offsets.ranges().collect::<Vec<_>>(), [0..3, 3..5]);
    }

    #[test]
    fn offsets_that_do_not_grow_are_refused() {
        let mut broken = batch();
        broken.offsets = vec![0, 3, 2, 6];
        assert!(matches!(packed_tokens(&broken), Err(InferError::Offsets)));
    }
}
