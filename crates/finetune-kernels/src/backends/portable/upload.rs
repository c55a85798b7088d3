//! Uploads from the host's memory to a device.

use burn::{
    backend::{Backend, TensorMetadata, tensor::Device, tensor::FloatTensor, tensor::IntTensor},
    tensor::{Shape, TensorData},
};

use crate::Indices;

#[cfg(test)]
thread_local! {
    /// Number of uploads by this thread.
    pub(crate) static UPLOADS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

fn count() {
    #[cfg(test)]
    UPLOADS.set(UPLOADS.get() + 1);
}

/// Creates a constant float tensor on the device of `like`, in its precision.
pub(super) fn constant<B: Backend>(
    values: Vec<f32>,
    shape: impl Into<Shape>,
    like: &FloatTensor<B>,
) -> FloatTensor<B> {
    count();
    let data = TensorData::new(values, shape.into()).convert_dtype(like.dtype());
    B::float_from_data(data, &like.device())
}

/// Creates an integer tensor on the device of `like`.
pub(in crate::backends) fn integers<B: Backend>(
    values: impl ExactSizeIterator<Item = u32>,
    shape: impl Into<Shape>,
    like: &FloatTensor<B>,
) -> IntTensor<B> {
    count();
    let values: Vec<i32> = values.map(|value| value as i32).collect();
    B::int_from_data(TensorData::new(values, shape.into()), &like.device())
}

/// The device form of row indices.
#[derive(Clone)]
struct Uploaded<B: Backend> {
    rows: IntTensor<B>,
    device: Device<B>,
}

/// Returns row indices on the device of `like`, which are uploaded once.
pub(in crate::backends) fn rows<B: Backend>(rows: &Indices, like: &FloatTensor<B>) -> IntTensor<B> {
    let device = like.device();
    let make = || Uploaded::<B> {
        rows: integers::<B>(rows.iter().copied(), [rows.len()], like),
        device: device.clone(),
    };
    let form = rows.forms().get(|form| form.device == device, make);
    form.rows
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::{
        backend::{Flex, ops::FloatTensorOps},
        tensor::TensorData,
    };

    use super::*;
    use crate::{
        AttentionShape, Dropout, Offsets, PackedTokens, Precision,
        backends::portable,
        ops::{
            Attention, AttentionBackward, EmbeddingNorm, EmbeddingTables, Norm, NormBackward,
            NormGradients, TokenTypeTable,
        },
    };

    type B = Flex;

    const LAYERS: usize = 6;
    const HIDDEN: usize = 4;

    fn tensor<const D: usize>(shape: [usize; D]) -> FloatTensor<B> {
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|i| i as f32 / 8.0)
            .collect();
        B::float_from_data(TensorData::new(values, shape), &Default::default())
    }

    /// Counts the uploads while `run` runs.
    fn uploads(run: impl FnOnce()) -> usize {
        let before = UPLOADS.get();
        run();
        UPLOADS.get() - before
    }

    fn attention(shape: AttentionShape) {
        let [queries, keys] = [&shape.queries, &shape.keys].map(Offsets::num_tokens);
        let operation = Attention::<B> {
            query: tensor([queries, HIDDEN]),
            key: tensor([keys, HIDDEN]),
            value: tensor([keys, HIDDEN]),
            shape,
            dropout: Dropout::NONE,
        };
        let (result, kept) = portable::AttentionKept::attention(operation);
        let gradients = kept.gradients(result, [true; 3]);
        assert!(gradients.iter().all(Option::is_some));
    }

    #[test]
    fn layers_and_passes_share_the_bounds() {
        let offsets = Offsets::from_lengths([3, 1, 2]);
        let layers = uploads(|| {
            for _ in 0..LAYERS {
                attention(AttentionShape::of_all(&offsets, 2, Precision::F32));
            }
        });
        // The row indices in both directions, and the mask.
        assert_eq!((layers, offsets.forms().count()), (3, 1));
        // A layer that computes the first tokens only has other queries.
        let first = Offsets::from_lengths([1; 3]);
        let first = AttentionShape::of_some(&first, &offsets, 2, Precision::F32);
        assert_eq!(uploads(|| attention(first.clone())), 3);
        assert_eq!(uploads(|| attention(first)), 0);
    }

    #[test]
    fn tables_and_their_gradients_share_the_rows() {
        let tokens = PackedTokens {
            ids: [4, 0, 2, 4].into(),
            positions: [0, 1, 2, 0].into(),
            type_ids: [0, 1, 1, 0].into(),
            offsets: Offsets::from_lengths([3, 1]),
            used_rows: None,
        };
        let passes = || {
            let operation = EmbeddingNorm::<B> {
                tables: EmbeddingTables {
                    word: tensor([5, HIDDEN]),
                    position: tensor([3, HIDDEN]),
                    token_type: TokenTypeTable::Table(tensor([2, HIDDEN])),
                    scale: 1.0,
                },
                norm: Norm {
                    gamma: tensor([HIDDEN]),
                    beta: tensor([HIDDEN]),
                    epsilon: 1e-5,
                },
                tokens: tokens.clone(),
                dropout: Dropout::NONE,
            };
            let (result, kept) = portable::NormKept::embedding_norm(operation);
            let wanted = NormGradients {
                residual: true,
                ..NormGradients::default()
            };
            let found = kept.gradients(result, Dropout::NONE, wanted);
            for ids in [&tokens.ids, &tokens.positions, &tokens.type_ids] {
                let sum = found.residual.clone().into_iter();
                sum.for_each(|sum| drop(portable::scatter_rows::<B>(sum, ids, 5)));
            }
        };
        assert_eq!(uploads(passes), 3);
        assert_eq!(uploads(passes), 0);
    }
}
