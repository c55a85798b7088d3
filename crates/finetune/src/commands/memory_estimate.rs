//! Estimates the memory that training takes from sizes alone, within a fifth of measurements on the CPU.

use finetune_models::ModelConfig;

/// Rows of the batch that estimates are for, and tokens per row.
pub const BATCH: (usize, usize) = (16, 128);

/// Bytes of the program, its tokenizer and memory that its allocator retains.
const PROGRAM: u64 = 50_000_000;

/// The kind of parameters that a strategy trains in a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trained {
    /// The layer's weights.
    Weights,
    /// LoRA's low-rank matrices.
    Lora,
    /// (IA)³'s scales.
    Ia3,
    /// Biases or other small parameters.
    Little,
}

impl Trained {
    /// Returns the number of floats per token that a layer keeps for the backward pass.
    fn kept(self, hidden: u64, inner: u64) -> u64 {
        // Always kept: query, key, value, two normalised sums, the inner layer before its activation.
        let least = 5 * hidden + inner;
        match self {
            // The inputs of the linear layers.
            Self::Weights => least + 3 * hidden + inner,
            Self::Lora => least + hidden,
            // The scaled values: keys, values, the inner layer.
            Self::Ia3 => least + 2 * hidden + inner,
            Self::Little => least,
        }
    }
}

/// Returns the bytes that training with AdamW takes: the weights, two moments and a gradient per trained
/// parameter, and what the layers from `lowest_layer` up keep for the backward pass of a [`BATCH`].
pub fn training_bytes(
    config: &ModelConfig,
    (trainable, all): (u64, u64),
    lowest_layer: usize,
    trained: Trained,
) -> u64 {
    let (rows, length) = BATCH;
    let tokens = (rows * length) as u64;
    let (hidden, inner) = (config.hidden_size as u64, config.intermediate_size as u64);
    let scores = (rows * config.num_attention_heads * length * length) as u64;
    let layers = config.num_hidden_layers.saturating_sub(lowest_layer) as u64;
    let kept = layers * tokens * trained.kept(hidden, inner);
    // Kept activations are freed as gradients are computed.
    let step = kept.max(trainable);
    // For one layer: its backward pass, or its forward pass if all are frozen.
    let temporary = match layers {
        0 => tokens * (4 * hidden + 2 * inner) + 3 * scores,
        _ => tokens * 4 * inner + 5 * scores,
    };
    PROGRAM + 4 * (all + 2 * trainable + step + temporary)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Peak resident memory of runs of the program, in MB: DistilBERT and all-MiniLM-L6-v2 with
    /// two classes, rows of 128 tokens.
    #[test]
    fn estimates_are_near_measurements() {
        let distilbert = r#"{"model_type": "distilbert", "vocab_size": 30522, "dim": 768,
            "n_layers": 6, "n_heads": 12, "hidden_dim": 3072, "max_position_embeddings": 512,
            "activation": "gelu"}"#;
        let minilm = r#"{"model_type": "bert", "vocab_size": 30522, "hidden_size": 384,
            "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536,
            "max_position_embeddings": 512, "type_vocab_size": 2, "hidden_act": "gelu"}"#;
        let none = usize::MAX;
        for (config, trainable, all, lowest, trained, megabytes) in [
            (
                distilbert,
                66_955_010,
                66_955_010,
                0,
                Trained::Weights,
                1625,
            ),
            (distilbert, 739_586, 67_694_596, 0, Trained::Lora, 824),
            (distilbert, 592_130, 66_955_010, none, Trained::Little, 423),
            (distilbert, 14_767_874, 66_955_010, 4, Trained::Weights, 757),
            (distilbert, 643_586, 66_955_010, 0, Trained::Little, 779),
            (distilbert, 619_778, 67_574_788, 0, Trained::Ia3, 1014),
            (minilm, 22_713_986, 22_713_986, 0, Trained::Weights, 726),
            (minilm, 74_498, 22_788_484, 0, Trained::Lora, 416),
            (minilm, 148_610, 22_713_986, none, Trained::Little, 201),
            (minilm, 3_697_538, 22_713_986, 4, Trained::Weights, 346),
            (minilm, 174_338, 22_713_986, 0, Trained::Little, 396),
            (minilm, 16_898, 22_730_884, 0, Trained::Ia3, 526),
        ] {
            let config = ModelConfig::parse(config, Path::new("config.json")).unwrap();
            let bytes = training_bytes(&config, (trainable, all), lowest, trained);
            let ratio = bytes as f64 / 1e6 / f64::from(megabytes);
            assert!(
                (0.85..1.18).contains(&ratio),
                "{trained:?} from layer {lowest}: {bytes} bytes, measured {megabytes} MB"
            );
        }
    }
}
