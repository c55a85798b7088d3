use std::sync::Arc;

use burn::backend::{
    Autodiff, Backend, TensorMetadata,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};

use crate::{Dropout, EncoderGradients, NormGradients, Normal, PackedTokens, TokenTypeTable};

/// Parents: gamma, beta, word, position, and the token types where there are any.
#[derive(Debug)]
struct EmbeddingNorm;

/// What the backward pass needs.
#[derive(Clone, Debug)]
struct Kept<B: Backend> {
    normal: Normal<B>,
    gamma: FloatTensor<B>,
    dropout: Dropout,
    /// Which rows of each table went in, and of how many.
    rows: Vec<(Arc<[u32]>, usize)>,
}

impl<B: EncoderGradients, const N: usize> Backward<B, N> for EmbeddingNorm {
    type State = Kept<B>;

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let kept = ops.state;
        let grad = B::dropout(grads.consume::<B>(&ops.node), kept.dropout);
        let mut parents = ops.parents.into_iter();
        let [gamma, beta] = [(); 2].map(|()| parents.next().flatten());
        let tables: Vec<_> = parents.zip(kept.rows).collect();
        let wanted = NormGradients {
            x: false,
            residual: tables.iter().any(|(table, _)| table.is_some()),
            gamma: gamma.is_some(),
            beta: beta.is_some(),
        };
        let found = B::norm_gradients(kept.normal, kept.gamma, grad, Dropout::NONE, wanted);
        for (node, gradient) in [(gamma, found.gamma), (beta, found.beta)] {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<B>(node.id, gradient);
            }
        }
        let Some(sum) = found.residual else { return };
        for (table, (ids, rows)) in tables {
            if let Some(node) = table {
                let gradient = B::embedding_gradient(sum.clone(), ids, rows);
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

/// See [`EncoderOps::embedding_norm`](crate::EncoderOps::embedding_norm).
#[allow(clippy::too_many_arguments)]
pub(super) fn embedding_norm<B: EncoderGradients, C: CheckpointStrategy>(
    word: FloatTensor<Autodiff<B, C>>,
    position: FloatTensor<Autodiff<B, C>>,
    token_type: TokenTypeTable<Autodiff<B, C>>,
    gamma: FloatTensor<Autodiff<B, C>>,
    beta: FloatTensor<Autodiff<B, C>>,
    tokens: &PackedTokens,
    epsilon: f64,
    dropout: Dropout,
) -> FloatTensor<Autodiff<B, C>> {
    let (gamma, gamma_node) = gamma.into_parts();
    let (beta, beta_node) = beta.into_parts();
    let (word, word_node) = word.into_parts();
    let (position, position_node) = position.into_parts();
    let mut rows = vec![
        match &tokens.used_rows {
            Some(used) => (Arc::clone(&used.places), used.rows.len()),
            None => (Arc::clone(&tokens.ids), word.shape()[0]),
        },
        (Arc::clone(&tokens.positions), position.shape()[0]),
    ];
    let forward = |token_type| Forward::<B> {
        word,
        position,
        token_type,
        gamma,
        beta,
        epsilon,
        dropout,
    };
    match token_type {
        TokenTypeTable::Absent => {
            let nodes = [gamma_node, beta_node, word_node, position_node];
            let prepared = EmbeddingNorm.prepare::<C>(nodes).compute_bound().stateful();
            forward(TokenTypeTable::Absent).finish(prepared, tokens, rows)
        }
        TokenTypeTable::Table(table) => {
            let (table, node) = table.into_parts();
            rows.push((Arc::clone(&tokens.type_ids), table.shape()[0]));
            let nodes = [gamma_node, beta_node, word_node, position_node, node];
            let prepared = EmbeddingNorm.prepare::<C>(nodes).compute_bound().stateful();
            forward(TokenTypeTable::Table(table)).finish(prepared, tokens, rows)
        }
    }
}

/// The operation's arguments without their nodes.
struct Forward<B: Backend> {
    word: FloatTensor<B>,
    position: FloatTensor<B>,
    token_type: TokenTypeTable<B>,
    gamma: FloatTensor<B>,
    beta: FloatTensor<B>,
    epsilon: f64,
    dropout: Dropout,
}

impl<B: EncoderGradients> Forward<B> {
    fn finish<C: CheckpointStrategy, const N: usize>(
        self,
        prepared: OpsKind<EmbeddingNorm, B, Kept<B>, C, N>,
        tokens: &PackedTokens,
        rows: Vec<(Arc<[u32]>, usize)>,
    ) -> FloatTensor<Autodiff<B, C>> {
        let Self {
            word,
            position,
            token_type,
            gamma,
            beta,
            epsilon,
            dropout,
        } = self;
        match prepared {
            OpsKind::UnTracked(prepared) => {
                let tokens = tokens.clone();
                prepared.finish(B::embedding_norm(
                    word, position, token_type, gamma, beta, tokens, epsilon, dropout,
                ))
            }
            OpsKind::Tracked(prepared) => {
                let (result, normal) = B::embedding_norm_with_normal(
                    word,
                    position,
                    token_type,
                    gamma.clone(),
                    beta,
                    tokens,
                    epsilon,
                    dropout,
                );
                let kept = Kept {
                    normal,
                    gamma,
                    dropout,
                    rows,
                };
                prepared.finish(kept, result)
            }
        }
    }
}
