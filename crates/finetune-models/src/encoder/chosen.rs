//! Some tokens of a batch, for which alone the encoder's last layer is computed.

use burn::{
    Tensor,
    tensor::{Int, TensorData},
};
use finetune_kernels::{Indices, Offsets};

use crate::ModelError;

/// Some tokens of a batch, in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenTokens {
    /// Indices among all tokens of the batch.
    places: Indices,
    /// Bounds of each sequence's tokens among the chosen ones.
    offsets: Offsets,
}

impl ChosenTokens {
    /// Chooses tokens by their indices among all tokens of the sequences with these bounds.
    ///
    /// # Errors
    /// Fails unless the indices are ascending and inside the batch.
    pub fn new(places: &Indices, offsets: &Offsets) -> Result<Self, ModelError> {
        let are_ascending = places.windows(2).all(|pair| pair[0] < pair[1]);
        let are_inside = places
            .last()
            .is_none_or(|&last| (last as usize) < offsets.num_tokens());
        if !are_ascending || !are_inside {
            return Err(ModelError::Places {
                tokens: offsets.num_tokens(),
            });
        }
        let before = |end: usize| places.partition_point(|&place| (place as usize) < end);
        let lengths = offsets
            .ranges()
            .map(|range| (before(range.end) - before(range.start)) as u32);
        Ok(Self {
            offsets: Offsets::from_lengths(lengths),
            places: places.clone(),
        })
    }

    /// Chooses the first token of each sequence.
    pub fn first(offsets: &Offsets) -> Self {
        Self {
            places: offsets.first_rows().into(),
            offsets: Offsets::from_lengths(vec![1; offsets.batch_size()]),
        }
    }

    /// Returns the bounds of each sequence's tokens among the chosen ones.
    pub fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    /// Selects the chosen tokens: `[tokens, hidden]` to `[chosen, hidden]`.
    pub fn select(&self, hidden: Tensor<2>) -> Tensor<2> {
        let rows: Vec<i32> = self.places.iter().map(|&row| row as i32).collect();
        let shape = [rows.len()];
        let device = hidden.device().inner();
        let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, shape), &device);
        hidden.select(0, rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_tokens_are_counted_by_sequence() {
        let offsets = Offsets::from_lengths([3, 2, 4]);
        let chosen = ChosenTokens::new(&[0, 2, 5, 8].into(), &offsets).unwrap();
        assert_eq!(*chosen.offsets(), Offsets::from_lengths([2, 0, 2]));
        let first = ChosenTokens::new(&[0, 3, 5].into(), &offsets).unwrap();
        assert_eq!(first, ChosenTokens::first(&offsets));
        for places in [vec![2, 2], vec![3, 1], vec![9]] {
            assert!(ChosenTokens::new(&places.into(), &offsets).is_err());
        }
    }
}
