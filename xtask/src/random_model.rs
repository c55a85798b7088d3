//! A DistilBERT of the published size with random weights, and texts for it, for measuring time and
//! memory, which do not depend on the values of the weights.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use finetune_files::rename_file;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::{Distribution, Normal};
use safetensors::tensor::{Dtype, View, serialize_to_file};
use serde_json::json;

use crate::datasets::write::write_atomically;
use crate::fixtures;

const VOCABULARY: usize = 30522;
const POSITIONS: usize = 512;
const LAYERS: usize = 6;
const HIDDEN: usize = 768;
const INNER: usize = 3072;

/// Number of tokens per text, including `[CLS]` and `[SEP]`.
const TOKENS: usize = 48;
/// Number of texts.
const TEXTS: usize = 400;

/// Writes `config.json`, `model.safetensors`, the tokenizer of the base model and `texts.csv` (400
/// texts of 48 tokens in two classes) to `directory`.
///
/// # Errors
/// Fails if the tokenizer is unavailable or a file cannot be written.
pub fn distilbert(directory: &Path, seed: u64) -> Result<()> {
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let base = fixtures::base_model(None)?;
    let vocabulary = fs::read_to_string(base.dir.join("vocab.txt"))
        .context("the base model's tokenizer has no vocab.txt")?;
    ensure!(
        vocabulary.lines().count() == VOCABULARY,
        "the base model's vocabulary is not BERT's"
    );
    for name in ["tokenizer.json", "vocab.txt"] {
        write_atomically(&directory.join(name), &fs::read(base.dir.join(name))?)?;
    }
    let config = json!({
        "model_type": "distilbert", "architectures": ["DistilBertModel"],
        "vocab_size": VOCABULARY, "max_position_embeddings": POSITIONS, "dim": HIDDEN,
        "n_layers": LAYERS, "n_heads": 12, "hidden_dim": INNER, "activation": "gelu",
        "dropout": 0.1, "attention_dropout": 0.1, "seq_classif_dropout": 0.2,
        "initializer_range": 0.02, "pad_token_id": 0, "sinusoidal_pos_embds": false,
    });
    write_atomically(
        &directory.join("config.json"),
        &serde_json::to_vec_pretty(&config)?,
    )?;
    let weights = directory.join("model.safetensors");
    let partial = directory.join(".model.safetensors.partial");
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    serialize_to_file(parameters(seed), Some(metadata), &partial)
        .with_context(|| format!("cannot write {}", partial.display()))?;
    let file =
        fs::File::open(&partial).with_context(|| format!("cannot read {}", partial.display()))?;
    rename_file(&file, &partial, &weights)?;
    write_atomically(&directory.join("texts.csv"), texts(&vocabulary).as_bytes())
}

/// A parameter whose values are drawn while they are written.
struct Random {
    shape: Vec<usize>,
    /// `None`: all values are `constant`.
    seed: Option<u64>,
    constant: f32,
}

impl View for Random {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let count = self.data_len() / 4;
        let bytes = match (self.seed, Normal::new(0.0f32, 0.02)) {
            (Some(seed), Ok(normal)) => {
                let random = Xoshiro256PlusPlus::seed_from_u64(seed);
                let values = normal.sample_iter(random).take(count);
                values.flat_map(f32::to_le_bytes).collect()
            }
            _ => self.constant.to_le_bytes().repeat(count),
        };
        Cow::Owned(bytes)
    }

    fn data_len(&self) -> usize {
        4 * self.shape.iter().product::<usize>()
    }
}

/// Returns the encoder's parameters, initialised as in transformers.
fn parameters(seed: u64) -> Vec<(String, Random)> {
    let mut all: Vec<(String, Random)> = Vec::new();
    let mut add = |name: String, shape: &[usize], constant: Option<f32>| {
        let number = all.len() as u64;
        let random = Random {
            shape: shape.to_vec(),
            seed: constant.is_none().then_some(seed.wrapping_add(number)),
            constant: constant.unwrap_or_default(),
        };
        all.push((name, random));
    };
    let embeddings = "distilbert.embeddings";
    for (name, rows) in [("word", VOCABULARY), ("position", POSITIONS)] {
        add(
            format!("{embeddings}.{name}_embeddings.weight"),
            &[rows, HIDDEN],
            None,
        );
    }
    let mut norms = vec![format!("{embeddings}.LayerNorm")];
    for layer in 0..LAYERS {
        let layer = format!("distilbert.transformer.layer.{layer}");
        for (name, out, input) in [
            ("attention.q_lin", HIDDEN, HIDDEN),
            ("attention.k_lin", HIDDEN, HIDDEN),
            ("attention.v_lin", HIDDEN, HIDDEN),
            ("attention.out_lin", HIDDEN, HIDDEN),
            ("ffn.lin1", INNER, HIDDEN),
            ("ffn.lin2", HIDDEN, INNER),
        ] {
            add(format!("{layer}.{name}.weight"), &[out, input], None);
            add(format!("{layer}.{name}.bias"), &[out], Some(0.0));
        }
        norms.extend(["sa_layer_norm", "output_layer_norm"].map(|name| format!("{layer}.{name}")));
    }
    for norm in norms {
        add(format!("{norm}.weight"), &[HIDDEN], Some(1.0));
        add(format!("{norm}.bias"), &[HIDDEN], Some(0.0));
    }
    all
}

/// Generates texts of words that are one token each.
fn texts(vocabulary: &str) -> String {
    let words: Vec<&str> = vocabulary
        .lines()
        .filter(|token| token.len() > 2 && token.bytes().all(|byte| byte.is_ascii_lowercase()))
        .collect();
    let mut csv = "text,label\n".to_owned();
    for text in 0..TEXTS {
        // 7919 is a prime, so words repeat only after the whole list.
        let word = |position: usize| words[(text * TOKENS + position) * 7919 % words.len()];
        let text_words: Vec<_> = (0..TOKENS - 2).map(word).collect();
        let label = ["negative", "positive"][text % 2];
        csv += &format!("{},{label}\n", text_words.join(" "));
    }
    csv
}
