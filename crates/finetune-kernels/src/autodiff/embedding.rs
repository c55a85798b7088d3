use std::sync::Arc;

use burn::backend::{
    Autodiff, TensorMetadata,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind, unary},
    },
    tensor::FloatTensor,
};

use crate::{EncoderOps, PackedTokens, TokenTypeTable, portable};

#[derive(Debug)]
struct Rows;

impl<B: EncoderOps> Backward<B, 1> for Rows {
    /// Which rows, and of how many.
    type State = (Arc<[u32]>, usize);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let (ids, rows) = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |grad| {
            B::embedding_gradient(grad, ids, rows)
        });
    }
}

/// Row `ids[i]` of the table as row `i`.
fn rows<B: EncoderOps, C: CheckpointStrategy>(
    table: FloatTensor<Autodiff<B, C>>,
    ids: &Arc<[u32]>,
) -> FloatTensor<Autodiff<B, C>> {
    let (table, node) = table.into_parts();
    let kept = (Arc::clone(ids), table.shape()[0]);
    let result = portable::rows::<B>(table, ids);
    match Rows.prepare::<C>([node]).compute_bound().stateful() {
        OpsKind::UnTracked(prepared) => prepared.finish(result),
        OpsKind::Tracked(prepared) => prepared.finish(kept, result),
    }
}

/// The sum in [`EncoderOps::embedding_norm`].
pub(super) fn embedding_sum<B: EncoderOps, C: CheckpointStrategy>(
    word: FloatTensor<Autodiff<B, C>>,
    position: FloatTensor<Autodiff<B, C>>,
    token_type: TokenTypeTable<Autodiff<B, C>>,
    tokens: &PackedTokens,
) -> FloatTensor<Autodiff<B, C>> {
    let rows = rows::<B, C>;
    portable::sum_of_rows::<Autodiff<B, C>>(
        rows(word, &tokens.ids),
        match token_type {
            TokenTypeTable::Absent => None,
            TokenTypeTable::Table(table) => Some(rows(table, &tokens.type_ids)),
        },
        rows(position, &tokens.positions),
    )
}
