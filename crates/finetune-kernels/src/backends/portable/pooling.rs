//! Pooling and its gradients.

use burn::{
    backend::{Backend, TensorMetadata, tensor::FloatTensor},
    tensor::{IndexingUpdateOp, Shape},
};

use super::{scatter_rows, upload};
use crate::{
    Indices, Offsets,
    ops::{Pool, PoolMaximum, Pooling},
};

/// See [`EncoderOps::pool`](crate::ops::EncoderOps::pool).
pub(crate) fn pool<B: Backend>(operation: Pool<B>) -> FloatTensor<B> {
    let Pool {
        x,
        offsets,
        pooling,
    } = operation;
    match pooling {
        Pooling::First => {
            let rows = upload::rows::<B>(&offsets.first_rows().into(), &x);
            B::float_select(x, 0, rows)
        }
        Pooling::Mean => {
            let sums = scatter_rows::<B>(x, &sequence_of_rows(&offsets), offsets.batch_size());
            let lengths = lengths::<B>(&offsets, &sums);
            B::float_div(sums, lengths)
        }
        Pooling::Max => {
            let shape = Shape::new([offsets.batch_size(), x.shape()[1]]);
            let padded = padded::<B>(x, &offsets);
            B::float_reshape(B::float_max_dim(padded, 1), shape)
        }
    }
}

/// See [`EncoderGradients::pool_mean_gradient`](crate::ops::EncoderGradients::pool_mean_gradient).
pub(crate) fn pool_mean_gradient<B: Backend>(
    grad: FloatTensor<B>,
    offsets: &Offsets,
) -> FloatTensor<B> {
    let lengths = lengths::<B>(offsets, &grad);
    let share = B::float_div(grad, lengths);
    let rows = upload::rows::<B>(&sequence_of_rows(offsets), &share);
    B::float_select(share, 0, rows)
}

/// See [`EncoderGradients::pool_max_gradient`](crate::ops::EncoderGradients::pool_max_gradient).
pub(crate) fn pool_max_gradient<B: Backend>(
    kept: PoolMaximum<B>,
    grad: FloatTensor<B>,
    offsets: &Offsets,
) -> FloatTensor<B> {
    let (batch, longest, columns) = (offsets.batch_size(), offsets.max_length(), grad.shape()[1]);
    let padded = padded::<B>(kept.x, offsets);
    let zeros = B::float_zeros(padded.shape(), &padded.device(), padded.dtype().into());
    let places = B::float_argmax(padded, 1, burn::tensor::IntDType::I32);
    let grad = B::float_reshape(grad, Shape::new([batch, 1, columns]));
    let sparse = B::float_scatter(1, zeros, places, grad, IndexingUpdateOp::Add);
    let rows = B::float_reshape(sparse, Shape::new([batch * longest, columns]));
    // What went to padding belongs to the row that the padding repeats.
    scatter_rows::<B>(rows, &padded_rows(offsets), offsets.num_tokens())
}

/// Returns the index of the sequence to which each row belongs.
fn sequence_of_rows(offsets: &Offsets) -> Indices {
    let sequences = offsets.ranges().enumerate();
    sequences
        .flat_map(|(sequence, rows)| std::iter::repeat_n(sequence as u32, rows.len()))
        .collect()
}

/// Returns the packed row of each padded one; for padding, the sequence's first.
fn padded_rows(offsets: &Offsets) -> Indices {
    let longest = offsets.max_length();
    let rows = offsets.ranges().flat_map(|rows| {
        let padding = std::iter::repeat_n(rows.start, longest - rows.len());
        rows.chain(padding)
    });
    rows.map(|row| row as u32).collect()
}

/// Pads to the longest sequence: `[tokens, columns]` to `[batch, longest, columns]`.
fn padded<B: Backend>(x: FloatTensor<B>, offsets: &Offsets) -> FloatTensor<B> {
    let shape = Shape::new([offsets.batch_size(), offsets.max_length(), x.shape()[1]]);
    let rows = upload::rows::<B>(&padded_rows(offsets), &x);
    B::float_reshape(B::float_select(x, 0, rows), shape)
}

/// Returns the lengths of the sequences, at least 1, as `[batch, 1]`.
fn lengths<B: Backend>(offsets: &Offsets, like: &FloatTensor<B>) -> FloatTensor<B> {
    let lengths = offsets.ranges().map(|rows| rows.len().max(1) as f32);
    upload::constant::<B>(lengths.collect(), [offsets.batch_size(), 1], like)
}
