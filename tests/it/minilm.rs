//! The real all-MiniLM-L6-v2, as BERT and converted to DistilBERT, against transformers.
//!
//! `cargo xtask prepare` fetches the former and makes the latter; without them, these tests print
//! that and pass.

use std::path::Path;

use burn::tensor::Device;
use finetune_data::TextTokenizer;
use finetune_hub::{DEFAULT_MODEL, Hub};
use finetune_kernels::{DropoutSource, Offsets, PackedTokens};
use finetune_models::SequenceClassifier;
use serde_json::Value;

use crate::{
    fixtures::{self, Fixture, largest_difference},
    tolerance,
};

/// Width of its hidden states.
const HIDDEN: usize = 384;

/// The first `rows` sequences of a batch.
fn first(tokens: &PackedTokens, rows: usize) -> PackedTokens {
    let lengths = tokens
        .offsets
        .ranges()
        .take(rows)
        .map(|range| range.len() as u32);
    let offsets = Offsets::from_lengths(lengths);
    let count = offsets.num_tokens();
    PackedTokens {
        ids: tokens.ids[..count].into(),
        positions: tokens.positions[..count].into(),
        type_ids: tokens.type_ids[..count].into(),
        offsets,
        used_rows: None,
    }
}

/// Checks tokens and hidden states of the first `rows` texts.
fn check(directory: &Path, rows: usize, device: &Device) {
    let mut fixture = Fixture::open("minilm.safetensors");
    let tokens = first(&fixture.tokens(""), rows);
    let tokenizer = TextTokenizer::from_file(directory.join("tokenizer.json")).unwrap();
    let manifest = fixtures::manifest();
    let texts = manifest["minilm"]["texts"].as_array().unwrap();
    assert_eq!(texts.len(), 16);
    for (texts, range) in texts.iter().zip(tokens.offsets.ranges()) {
        let text = |index: usize| texts.get(index).and_then(Value::as_str);
        let encoder = tokenizer.encoder(256, text(1).is_some()).unwrap();
        let encoded = encoder.encode(text(0).unwrap(), text(1)).unwrap();
        assert_eq!(encoded.ids, tokens.ids[range.clone()], "{texts}");
        assert_eq!(encoded.type_ids, tokens.type_ids[range], "{texts}");
    }

    let (model, _) = SequenceClassifier::load(directory, None, 0, device).unwrap();
    let hidden = model.encoder.encode(&tokens, DropoutSource::OFF).unwrap();
    let hidden: Vec<f32> = hidden.into_data().iter::<f32>().collect();
    let expected = fixture.floats("last_hidden_state");
    let difference = largest_difference(&hidden, &expected[..tokens.ids.len() * HIDDEN]);
    println!("{}: largest difference {difference:e}", directory.display());
    assert!(difference < tolerance::MINILM_HIDDEN, "{difference}");
}

#[test]
fn as_bert() {
    let files = match Hub::from_env()
        .offline(true)
        .resolve(DEFAULT_MODEL, None, &mut |_| {})
    {
        Ok(files) => files,
        Err(error) => {
            println!("skipped, `cargo xtask prepare` fetches the model: {error}");
            return;
        }
    };
    let expected = &fixtures::manifest()["minilm"]["weights_sha256"];
    assert_eq!(
        *expected, files.weights_sha256,
        "other weights than those of the fixture"
    );
    for device in fixtures::devices() {
        check(&files.dir, 16, &device);
    }
}

/// The sentences without a second segment: DistilBERT has no token types.
#[test]
fn as_distilbert() {
    let test = std::env::current_exe().unwrap();
    // TARGET/PROFILE/deps/it-HASH, or TARGET/TRIPLE/PROFILE/deps/it-HASH.
    let made = |target: &Path| target.join("fixtures/distilminilm");
    let Some(directory) = test
        .ancestors()
        .skip(3)
        .take(2)
        .map(made)
        .find(|path| path.exists())
    else {
        println!("skipped, `cargo xtask prepare` makes TARGET/fixtures/distilminilm");
        return;
    };
    for device in fixtures::devices() {
        check(&directory, 12, &device);
    }
}
