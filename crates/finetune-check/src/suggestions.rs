//! Settings for training that follow from the data.

use serde::Serialize;

use crate::checks::class_balance::TOLD;
use crate::checks::{Facts, percent};

/// A setting for training, as a flag of `finetune train`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Suggestion {
    /// The flag with its value, as it is typed.
    pub flag: String,
    /// Why.
    pub reason: String,
}

/// Share of the rows that the suggested length holds whole.
const WHOLE: f64 = 0.99;
/// Lengths that are suggested.
const LENGTHS: [u32; 10] = [32, 48, 64, 96, 128, 192, 256, 320, 384, 512];
/// Tokens of a batch from which on more rows gain no speed and cost memory.
const BATCH_TOKENS: f64 = 4096.0;

/// Returns the settings that follow from the data.
pub(crate) fn all(facts: &Facts<'_>) -> Vec<Suggestion> {
    [
        max_length(facts),
        batch_size(facts),
        class_weights(facts),
        skip_invalid(facts),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn max_length(facts: &Facts<'_>) -> Option<Suggestion> {
    let tokens = facts.tokens?;
    let wanted = tokens.quantile(WHOLE);
    let limit = facts
        .data
        .tokenizer
        .and_then(|(tokenizer, _)| tokenizer.model_max_length());
    let most = u32::try_from(limit.unwrap_or(512)).unwrap_or(512).min(512);
    let length = LENGTHS
        .iter()
        .copied()
        .find(|length| *length >= wanted)
        .unwrap_or(most)
        .min(most);
    let count = tokens
        .rows
        .iter()
        .filter(|(_, tokens, _)| *tokens <= length)
        .count() as u64;
    let cost = match length == most && wanted > length {
        true => ", and the model takes no more",
        false => "",
    };
    Some(Suggestion {
        flag: format!("--max-length {length}"),
        reason: format!(
            "{} of the rows fit whole{cost}{}",
            percent(count, tokens.rows.len() as u64),
            tokens.sample()
        ),
    })
}

fn batch_size(facts: &Facts<'_>) -> Option<Suggestion> {
    let tokens = facts.tokens?;
    let mean = tokens.mean();
    let fitting = (BATCH_TOKENS / mean.max(1.0)) as u64;
    let size = match fitting {
        0..=11 => 8,
        12..=23 => 16,
        _ => 32,
    };
    Some(Suggestion {
        flag: format!("--batch-size {size}"),
        reason: format!(
            "rows have {mean:.0} tokens on average, so {size} of them are about {:.0} tokens a step",
            mean * size as f64
        ),
    })
}

fn class_weights(facts: &Facts<'_>) -> Option<Suggestion> {
    let names = facts.single_classes();
    let classes = &facts.scan.parts.first()?.classes;
    let (least, most) = (*classes.iter().min()?, *classes.iter().max()?);
    (names.len() > 1 && least > 0 && most >= TOLD * least).then(|| Suggestion {
        flag: "--class-weights balanced".into(),
        reason: format!(
            "the largest class has {:.1} times the training rows of the smallest; with weights, each class counts equally",
            most as f64 / least as f64
        ),
    })
}

fn skip_invalid(facts: &Facts<'_>) -> Option<Suggestion> {
    let incomplete = facts
        .data
        .splits
        .iter()
        .filter_map(|split| split.incomplete.as_ref());
    let rows: u64 = incomplete.map(|incomplete| incomplete.rows).sum();
    (rows > 0).then(|| Suggestion {
        flag: "--skip-invalid".into(),
        reason: format!("{rows} rows lack a text or a label, and stop a run otherwise"),
    })
}
