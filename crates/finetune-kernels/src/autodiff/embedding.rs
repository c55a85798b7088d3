//! The backward pass of embeddings.

use burn::{
    backend::{
        Autodiff, Backend, TensorMetadata,
        autodiff::{
            NodeId,
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        tensor::FloatTensor,
    },
    tensor::Shape,
};

use super::register;
use crate::{
    Dropout, Indices, PackedTokens,
    ops::{
        EmbeddingNorm, EmbeddingSum, EmbeddingTables, EncoderGradients, Norm, NormBackward,
        NormGradients, TokenTypeTable,
    },
};

/// The node of the embeddings. Its parents are gamma, beta, word, position, and the token types if there
/// are any.
#[derive(Debug)]
struct SumAndNormalize;

/// The values that the backward pass needs.
#[derive(Clone, Debug)]
struct Kept<N> {
    norm: N,
    dropout: Dropout,
    tables: Rows,
}

impl<B: EncoderGradients, const N: usize> Backward<B, N> for SumAndNormalize {
    type State = Kept<B::NormKept>;

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let kept = ops.state;
        let grad = B::dropout(grads.consume::<B>(&ops.node), kept.dropout);
        let parents = ops.parents.map(|node| node.map(|node| node.id));
        let mut parents = parents.into_iter();
        let [gamma, beta] = [(); 2].map(|()| parents.next().flatten());
        let tables: Vec<_> = parents.collect();
        let wanted = NormGradients {
            x: false,
            residual: tables.iter().any(Option::is_some),
            gamma: gamma.is_some(),
            beta: beta.is_some(),
        };
        let found = kept.norm.gradients(grad, Dropout::NONE, wanted);
        register::<B>(grads, [(gamma, found.gamma), (beta, found.beta)]);
        let Some(sum) = found.residual else { return };
        kept.tables.register::<B>(grads, tables, sum);
    }
}

/// The node of the embeddings without a norm. Its parents are word, position, and the token types if
/// there are any.
#[derive(Debug)]
struct Sum;

impl<B: EncoderGradients, const N: usize> Backward<B, N> for Sum {
    type State = (Dropout, Rows);

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let (dropout, rows) = ops.state;
        let sum = B::dropout(grads.consume::<B>(&ops.node), dropout);
        let tables = ops.parents.map(|node| node.map(|node| node.id));
        rows.register::<B>(grads, tables, sum);
    }
}

/// What the tables' gradients need of the forward pass.
#[derive(Clone, Debug)]
struct Rows {
    /// For each table, the rows that were read and the number of rows of its gradient.
    read: Vec<(Indices, usize)>,
    /// The factor of the word table's rows.
    scale: f64,
}

impl Rows {
    fn new<B: Backend>(tables: &EmbeddingTables<B>, tokens: &PackedTokens) -> Self {
        let rows = |table: &FloatTensor<B>| table.shape()[0];
        let mut read = vec![
            match &tokens.used_rows {
                Some(used) => (used.places.clone(), used.rows.len()),
                None => (tokens.ids.clone(), rows(&tables.word)),
            },
            (tokens.positions.clone(), rows(&tables.position)),
        ];
        if let TokenTypeTable::Table(table) = &tables.token_type {
            read.push((tokens.type_ids.clone(), rows(table)));
        }
        Self {
            read,
            scale: tables.scale,
        }
    }

    /// Registers the gradients of the tables that need one, from that of the sum.
    fn register<B: EncoderGradients>(
        self,
        grads: &mut Gradients,
        tables: impl IntoIterator<Item = Option<NodeId>>,
        sum: FloatTensor<B>,
    ) {
        let factors = std::iter::once(self.scale).chain(std::iter::repeat(1.0));
        for ((node, (ids, rows)), factor) in tables.into_iter().zip(self.read).zip(factors) {
            if let Some(node) = node {
                let gradient = B::scatter_rows(sum.clone(), ids, rows);
                let gradient = match factor {
                    1.0 => gradient,
                    _ => {
                        let (device, dtype) = (sum.device(), sum.dtype().into());
                        let factor = B::float_full(Shape::new([1]), factor.into(), &device, dtype);
                        B::scaled(gradient, factor)
                    }
                };
                grads.register::<B>(node, gradient);
            }
        }
    }
}

/// See [`EncoderOps::embedding_norm`](crate::ops::EncoderOps::embedding_norm).
pub(super) fn embedding_norm<B: EncoderGradients, C: CheckpointStrategy>(
    operation: EmbeddingNorm<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let EmbeddingNorm {
        tables,
        norm,
        tokens,
        dropout,
    } = operation;
    let (gamma, gamma_node) = norm.gamma.into_parts();
    let (beta, beta_node) = norm.beta.into_parts();
    let (word, word_node) = tables.word.into_parts();
    let (position, position_node) = tables.position.into_parts();
    let (epsilon, scale) = (norm.epsilon, tables.scale);
    let untracked = |token_type| EmbeddingNorm::<B> {
        tables: EmbeddingTables {
            word,
            position,
            token_type,
            scale,
        },
        norm: Norm {
            gamma,
            beta,
            epsilon,
        },
        tokens,
        dropout,
    };
    match tables.token_type {
        TokenTypeTable::Absent => {
            let nodes = [gamma_node, beta_node, word_node, position_node];
            let prepared = SumAndNormalize
                .prepare::<C>(nodes)
                .compute_bound()
                .stateful();
            normalized(prepared, untracked(TokenTypeTable::Absent))
        }
        TokenTypeTable::Table(table) => {
            let (table, node) = table.into_parts();
            let nodes = [gamma_node, beta_node, word_node, position_node, node];
            let prepared = SumAndNormalize
                .prepare::<C>(nodes)
                .compute_bound()
                .stateful();
            normalized(prepared, untracked(TokenTypeTable::Table(table)))
        }
    }
}

fn normalized<B: EncoderGradients, C: CheckpointStrategy, const N: usize>(
    prepared: OpsKind<SumAndNormalize, B, Kept<B::NormKept>, C, N>,
    operation: EmbeddingNorm<B>,
) -> FloatTensor<Autodiff<B, C>> {
    match prepared {
        OpsKind::UnTracked(prepared) => prepared.finish(B::embedding_norm(operation)),
        OpsKind::Tracked(prepared) => {
            let dropout = operation.dropout;
            let tables = Rows::new(&operation.tables, &operation.tokens);
            let (result, norm) = B::NormKept::embedding_norm(operation);
            let kept = Kept {
                norm,
                dropout,
                tables,
            };
            prepared.finish(kept, result)
        }
    }
}

/// See [`EncoderOps::embedding_sum`](crate::ops::EncoderOps::embedding_sum).
pub(super) fn embedding_sum<B: EncoderGradients, C: CheckpointStrategy>(
    operation: EmbeddingSum<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let EmbeddingSum {
        tables,
        tokens,
        dropout,
    } = operation;
    let (word, word_node) = tables.word.into_parts();
    let (position, position_node) = tables.position.into_parts();
    let scale = tables.scale;
    let untracked = |token_type| EmbeddingSum::<B> {
        tables: EmbeddingTables {
            word,
            position,
            token_type,
            scale,
        },
        tokens,
        dropout,
    };
    match tables.token_type {
        TokenTypeTable::Absent => {
            let nodes = [word_node, position_node];
            let prepared = Sum.prepare::<C>(nodes).compute_bound().stateful();
            summed(prepared, untracked(TokenTypeTable::Absent))
        }
        TokenTypeTable::Table(table) => {
            let (table, node) = table.into_parts();
            let nodes = [word_node, position_node, node];
            let prepared = Sum.prepare::<C>(nodes).compute_bound().stateful();
            summed(prepared, untracked(TokenTypeTable::Table(table)))
        }
    }
}

fn summed<B: EncoderGradients, C: CheckpointStrategy, const N: usize>(
    prepared: OpsKind<Sum, B, (Dropout, Rows), C, N>,
    operation: EmbeddingSum<B>,
) -> FloatTensor<Autodiff<B, C>> {
    match prepared {
        OpsKind::UnTracked(prepared) => prepared.finish(B::embedding_sum(operation)),
        OpsKind::Tracked(prepared) => {
            let rows = Rows::new(&operation.tables, &operation.tokens);
            let kept = (operation.dropout, rows);
            prepared.finish(kept, B::embedding_sum(operation))
        }
    }
}
