//! Memory that training takes, from sizes alone.

use finetune_models::ModelConfig;

/// Rows and tokens of the batch that estimates are for.
pub const BATCH: (usize, usize) = (16, 128);

/// Bytes for training: weights, gradients and AdamW's two moments of what is trained, and what the
/// backward pass keeps of the layers from `lowest_layer` on, for a batch of [`BATCH`].
pub fn training_bytes(config: &ModelConfig, all: u64, trainable: u64, lowest_layer: usize) -> u64 {
    let (rows, length) = BATCH;
    let tokens = (rows * length) as u64;
    let (hidden, inner) = (config.hidden_size as u64, config.intermediate_size as u64);
    // Per token: query, key, value, context, two projections, two sums and two norms; the inner
    // layer before and after its activation; probabilities before and after dropout.
    let scores = 2 * (config.num_attention_heads * length) as u64;
    let layer = tokens * (10 * hidden + 2 * inner + scores);
    let kept = (config.num_hidden_layers - lowest_layer.min(config.num_hidden_layers)) as u64;
    // A frozen layer's buffers live one layer at a time.
    4 * (all + 3 * trainable + layer * kept.max(1))
}
