//! The cache of frozen weights in the layout of the matrix kernels.

use std::sync::{Arc, PoisonError};

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};
use burn_std::Bytes;

use super::values;
use crate::{
    Precision,
    matmul::{Matrix, PackedMatrix},
    ops::PackedWeight,
};

/// A weight and its packed forms, each created when it is first used.
pub(crate) struct PackedForms {
    /// Kept so that its memory cannot be reused for another tensor: the address identifies the weight.
    weight: Arc<Bytes>,
    precision: Precision,
    /// For `x · weight`.
    plain: Option<Arc<PackedMatrix>>,
    /// For `grad · weightᵀ`.
    transposed: Option<Arc<PackedMatrix>>,
}

impl PackedWeight {
    /// Returns the packed form of `weight`, a plain matrix, creating it if necessary.
    pub(super) fn get(
        &self,
        weight: &FloatTensor<Flex>,
        precision: Precision,
    ) -> Arc<PackedMatrix> {
        self.form(weight, precision, false)
    }

    /// Returns the packed form of the transpose of `weight`, creating it if necessary, or `None` in f32:
    /// there it would take as much memory again as the weight, to save some 2 % of a step.
    pub(super) fn transposed(
        &self,
        weight: &FloatTensor<Flex>,
        precision: Precision,
    ) -> Option<Arc<PackedMatrix>> {
        (precision == Precision::Bf16).then(|| self.form(weight, precision, true))
    }

    fn form(
        &self,
        weight: &FloatTensor<Flex>,
        precision: Precision,
        is_transposed: bool,
    ) -> Arc<PackedMatrix> {
        // A panic while packing leaves the slot valid.
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = weight.data_arc();
        slot.take_if(|forms| !Arc::ptr_eq(&forms.weight, &memory) || forms.precision != precision);
        let forms = slot.get_or_insert_with(|| PackedForms {
            weight: memory,
            precision,
            plain: None,
            transposed: None,
        });
        let place = match is_transposed {
            true => &mut forms.transposed,
            false => &mut forms.plain,
        };
        let packed = place.get_or_insert_with(|| {
            let shape = weight.shape();
            let matrix = Matrix::new(values(weight), shape[0], shape[1]);
            let matrix = match is_transposed {
                true => matrix.transpose(),
                false => matrix,
            };
            Arc::new(PackedMatrix::new(matrix, precision))
        });
        Arc::clone(packed)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;
    use crate::{MatmulOptions, backends::flex::linear::linear_input_gradient};

    fn matrix(rows: usize, cols: usize, salt: usize) -> FloatTensor<Flex> {
        let value = |i: usize| ((i * 31 + salt) % 61) as f32 / 61.0 - 0.5;
        let all = (0..rows * cols).map(value).collect();
        FloatTensor::<Flex>::from_data(TensorData::new::<f32, _>(all, [rows, cols]))
    }

    #[test]
    fn a_form_is_packed_once_for_each_pass_and_again_for_another_weight() {
        let (weight, cache) = (matrix(40, 70, 1), PackedWeight::default());
        let transposed = || cache.transposed(&weight, Precision::Bf16).unwrap();
        let (plain, first) = (cache.get(&weight, Precision::Bf16), transposed());
        assert!(Arc::ptr_eq(&plain, &cache.get(&weight, Precision::Bf16)));
        assert!(Arc::ptr_eq(&first, &transposed()));
        assert!(cache.transposed(&weight, Precision::F32).is_none());
        cache.get(&matrix(40, 70, 2), Precision::Bf16);
        assert!(!Arc::ptr_eq(&first, &transposed()));
        assert_eq!(Arc::strong_count(&plain), 1);
    }

    #[test]
    fn the_gradient_through_a_packed_weight_has_the_same_bits() {
        let cached = MatmulOptions {
            precision: Precision::Bf16,
            packed: Some(PackedWeight::default()),
        };
        for (tokens, inputs, outputs) in [(5, 48, 33), (70, 384, 1536), (300, 1536, 384)] {
            let (grad, weight) = (matrix(tokens, outputs, 3), matrix(inputs, outputs, 4));
            let gradient = |options| linear_input_gradient(grad.clone(), weight.clone(), options);
            let expected = gradient(Precision::Bf16.into());
            for _ in 0..2 {
                assert_eq!(values(&gradient(cached.clone())), values(&expected));
            }
        }
    }
}
