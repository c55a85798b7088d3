//! Attention transfer by padding to the longest sequence.

use burn::{
    backend::{Backend, tensor::FloatTensor},
    tensor::Shape,
};

use super::attention::Heads;
use crate::{
    AttentionShape, Precision,
    ops::{AttentionTransfer, EncoderOps},
};

/// See [`EncoderOps::attention_transfer`].
pub(crate) fn attention_transfer<B: Backend>(operation: AttentionTransfer<B>) -> FloatTensor<B> {
    Distributions::new(&operation).divergence(operation.denominator)
}

/// See [`EncoderGradients::attention_transfer_gradients`](crate::ops::EncoderGradients::attention_transfer_gradients).
pub(crate) fn attention_transfer_gradients<B: EncoderOps>(
    operation: AttentionTransfer<B>,
    wanted: [bool; 2],
) -> (FloatTensor<B>, [Option<FloatTensor<B>>; 2]) {
    let distributions = Distributions::new(&operation);
    let loss = distributions.divergence(operation.denominator);
    let Distributions {
        heads,
        student,
        teacher,
    } = distributions;
    // The gradient of the scores is the difference of the probabilities.
    let difference = B::float_sub(B::softmax(student, 3), B::softmax(teacher, 3));
    let difference = B::float_mul(difference, heads.queries.row_mask());
    let factor = heads.scale() / operation.denominator;
    let scores = B::float_mul_scalar(difference, factor.into());
    let tokens = &heads.queries;
    let query = wanted[0].then(|| {
        let key = tokens.split(operation.key);
        tokens.merge(heads.matmul(scores.clone(), key))
    });
    let key = wanted[1].then(|| {
        let query = tokens.split(operation.query);
        tokens.merge(heads.matmul(B::float_swap_dims(scores, 2, 3), query))
    });
    (loss, [query, key])
}

/// The scores of student and teacher, `[batch, heads, longest, longest]`.
struct Distributions<B: Backend> {
    /// The student's heads.
    heads: Heads<B>,
    student: FloatTensor<B>,
    teacher: FloatTensor<B>,
}

impl<B: Backend> Distributions<B> {
    fn new(operation: &AttentionTransfer<B>) -> Self {
        let shape = AttentionShape::of_all(&operation.offsets, operation.heads, Precision::F32);
        let scores = |query: &FloatTensor<B>, key: &FloatTensor<B>| {
            let heads = Heads::<B>::new(query, &shape);
            let (query, key) = (query.clone(), key.clone());
            let scores = heads.scores(heads.queries.split(query), heads.keys.split(key));
            (heads, scores)
        };
        let (heads, student) = scores(&operation.query, &operation.key);
        let (_, teacher) = scores(&operation.teacher_query, &operation.teacher_key);
        Self {
            heads,
            student,
            teacher,
        }
    }

    /// Sums `t · (log t - log s)` and divides by the denominator, `[1]`.
    fn divergence(&self, denominator: f64) -> FloatTensor<B> {
        let probabilities = B::softmax(self.teacher.clone(), 3);
        let [teacher, student] =
            [&self.teacher, &self.student].map(|scores| B::log_softmax(scores.clone(), 3));
        let terms = B::float_mul(probabilities, B::float_sub(teacher, student));
        let terms = B::float_mul(terms, self.heads.queries.row_mask());
        let sum = B::float_reshape(B::float_sum(terms), Shape::new([1]));
        B::float_mul_scalar(sum, (1.0 / denominator).into())
    }
}
