//! The backward pass of embeddings.

use burn::backend::{
    Autodiff, TensorMetadata,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};

use super::register;
use crate::{
    Dropout, Indices,
    ops::{
        EmbeddingNorm, EmbeddingTables, EncoderGradients, Norm, NormBackward, NormGradients,
        TokenTypeTable,
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
    /// For each table, the rows that were read and the number of rows of its gradient.
    rows: Vec<(Indices, usize)>,
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
        let tables: Vec<_> = parents.zip(kept.rows).collect();
        let wanted = NormGradients {
            x: false,
            residual: tables.iter().any(|(table, _)| table.is_some()),
            gamma: gamma.is_some(),
            beta: beta.is_some(),
        };
        let found = kept.norm.gradients(grad, Dropout::NONE, wanted);
        register::<B>(grads, [(gamma, found.gamma), (beta, found.beta)]);
        let Some(sum) = found.residual else { return };
        for (table, (ids, rows)) in tables {
            if let Some(node) = table {
                let gradient = B::scatter_rows(sum.clone(), ids, rows);
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
    let mut rows = vec![
        match &tokens.used_rows {
            Some(used) => (used.places.clone(), used.rows.len()),
            None => (tokens.ids.clone(), word.shape()[0]),
        },
        (tokens.positions.clone(), position.shape()[0]),
    ];
    let (epsilon, type_ids) = (norm.epsilon, tokens.type_ids.clone());
    let untracked = |token_type| EmbeddingNorm::<B> {
        tables: EmbeddingTables {
            word,
            position,
            token_type,
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
            finish(prepared, untracked(TokenTypeTable::Absent), rows)
        }
        TokenTypeTable::Table(table) => {
            let (table, node) = table.into_parts();
            rows.push((type_ids, table.shape()[0]));
            let nodes = [gamma_node, beta_node, word_node, position_node, node];
            let prepared = SumAndNormalize
                .prepare::<C>(nodes)
                .compute_bound()
                .stateful();
            finish(prepared, untracked(TokenTypeTable::Table(table)), rows)
        }
    }
}

fn finish<B: EncoderGradients, C: CheckpointStrategy, const N: usize>(
    prepared: OpsKind<SumAndNormalize, B, Kept<B::NormKept>, C, N>,
    operation: EmbeddingNorm<B>,
    rows: Vec<(Indices, usize)>,
) -> FloatTensor<Autodiff<B, C>> {
    match prepared {
        OpsKind::UnTracked(prepared) => prepared.finish(B::embedding_norm(operation)),
        OpsKind::Tracked(prepared) => {
            let dropout = operation.dropout;
            let (result, norm) = B::NormKept::embedding_norm(operation);
            let kept = Kept {
                norm,
                dropout,
                rows,
            };
            prepared.finish(kept, result)
        }
    }
}
