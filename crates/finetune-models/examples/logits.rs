//! Prints the logits that a model computes for token ids:
//! `cargo run --example logits -- MODEL_DIR 101 2204 102`.

use std::{env, error::Error, path::Path};

use burn::tensor::Device;
use finetune_kernels::{DropoutSource, Offsets, PackedTokens};
use finetune_models::SequenceClassifier;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let directory = arguments.next().ok_or("usage: logits MODEL_DIR ID…")?;
    let ids: Vec<u32> = arguments.map(|id| id.parse()).collect::<Result<_, _>>()?;

    let (model, report) =
        SequenceClassifier::load(Path::new(&directory), None, 42, &Device::flex())?;
    if !report.fresh.is_empty() {
        println!("new weights, not trained: {}", report.fresh.join(", "));
    }
    let length = ids.len() as u32;
    let tokens = PackedTokens {
        ids: ids.into(),
        positions: (0..length).collect(),
        type_ids: vec![0; length as usize].into(),
        offsets: Offsets::from_lengths([length]),
        used_rows: None,
    };
    let logits = model.forward(&tokens, DropoutSource::OFF)?;
    println!("{:?}: {logits}", model.config().outputs);
    Ok(())
}
