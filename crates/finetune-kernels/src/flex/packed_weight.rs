//! Frozen weights in the form that the matrix kernels read.

use std::sync::{Arc, PoisonError};

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};
use burn_std::Bytes;

use super::values;
use crate::{
    PackedWeight, Precision,
    matmul::{Matrix, PackedMatrix},
};

/// A weight, and what was packed of it.
#[derive(Default)]
pub(crate) struct PackedForms {
    /// Held, so that its memory cannot become another tensor's: the same memory is the same weight.
    weight: Option<(Arc<Bytes>, Precision)>,
    forward: Option<Arc<PackedMatrix>>,
    backward: Option<Arc<PackedMatrix>>,
}

/// Which product a weight is packed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// `x · weight`
    Forward,
    /// `grad · weightᵀ`
    Backward,
}

impl PackedWeight {
    /// The packed form of `weight`, a plain matrix; made now, if it is not there.
    pub(super) fn get(
        &self,
        weight: &FloatTensor<Flex>,
        direction: Direction,
        precision: Precision,
    ) -> Arc<PackedMatrix> {
        // A panic while packing leaves the slot without that form, which is a valid state.
        let mut forms = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = weight.data_arc();
        let is_same = |(held, packed_in): &(Arc<Bytes>, Precision)| {
            Arc::ptr_eq(held, &memory) && *packed_in == precision
        };
        if !forms.weight.as_ref().is_some_and(is_same) {
            *forms = PackedForms {
                weight: Some((memory, precision)),
                ..PackedForms::default()
            };
        }
        let form = match direction {
            Direction::Forward => &mut forms.forward,
            Direction::Backward => &mut forms.backward,
        };
        let packed = form.get_or_insert_with(|| {
            let shape = weight.shape();
            let matrix = Matrix::new(values(weight), shape[0], shape[1]);
            let matrix = match direction {
                Direction::Forward => matrix,
                Direction::Backward => matrix.transpose(),
            };
            Arc::new(PackedMatrix::new(matrix, precision))
        });
        Arc::clone(packed)
    }
}
