//! A masked language model with its tokenizer, for filling masks in texts.

use std::borrow::Cow;
use std::path::Path;

use burn::tensor::Device;
use finetune_data::{TextEncoder, TextTokenizer, TruncationSide};
use finetune_kernels::{Indices, Offsets, PackedTokens, values_of};
use finetune_models::MaskedLm;
use serde::Serialize;

use crate::{InferError, Workers, device, load_tokenizer};

/// The mask tokens of the tokenizers that people know, which they may type for any model.
const SPELLINGS: [&str; 2] = ["[MASK]", "<mask>"];

/// A number of tokens that no text has.
const LONGEST_TEXT: usize = u32::MAX as usize;

/// A masked language model with its tokenizer.
///
/// ```no_run
/// use finetune_infer::FillMask;
///
/// let model = FillMask::load("bert-base-uncased")?;
/// for word in &model.fill("a [MASK] film", 5)?[0] {
///     println!("{:.3} {}", word.score, word.token_str);
/// }
/// # Ok::<(), finetune_infer::InferError>(())
/// ```
#[derive(Debug)]
pub struct FillMask {
    model: MaskedLm,
    tokenizer: TextTokenizer,
    encoder: TextEncoder,
    mask: u32,
    mask_text: String,
    notes: Vec<String>,
}

/// A token in the place of a mask. The names are those of transformers' pipeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Filling {
    /// Its probability.
    pub score: f32,
    /// Its id.
    pub token: u32,
    /// Its text.
    pub token_str: String,
    /// The whole text with it; other masks remain.
    pub sequence: String,
}

impl FillMask {
    /// Loads a model directory onto the CPU.
    ///
    /// # Errors
    /// Fails as [`load_on`](Self::load_on) does.
    pub fn load(directory: impl AsRef<Path>) -> Result<Self, InferError> {
        Self::load_on(directory, &device("cpu")?)
    }

    /// Loads a model directory onto a [`device`].
    ///
    /// # Errors
    /// Fails if a file is missing or damaged, if the model has no head for masked tokens, or if the
    /// tokenizer has no mask token.
    pub fn load_on(directory: impl AsRef<Path>, device: &Device) -> Result<Self, InferError> {
        let directory = directory.as_ref();
        let (model, report) = MaskedLm::load(directory, 0, device)?;
        if !report.fresh.is_empty() {
            return Err(InferError::NoMaskedLm {
                directory: directory.into(),
                missing: report.fresh,
            });
        }
        let tokenizer = load_tokenizer(directory, model.config())?;
        let mask = tokenizer.mask_token_id();
        let named = mask.and_then(|mask| Some((mask, tokenizer.id_to_token(mask)?)));
        let Some((mask, mask_text)) = named else {
            return Err(InferError::NoMaskToken {
                directory: directory.into(),
            });
        };
        let longest = model.config().longest_sequence();
        let max_length = tokenizer.model_max_length().unwrap_or(longest).min(longest);
        let notes = report.notes().into_iter();
        let tokenizer_notes = tokenizer.notes().iter().map(ToString::to_string);
        Ok(Self {
            notes: notes.chain(tokenizer_notes).collect(),
            encoder: tokenizer.encoder(max_length, false)?,
            model,
            tokenizer,
            mask,
            mask_text,
        })
    }

    /// Returns remarks on the model's files for the user.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Returns the text of the mask token.
    pub fn mask_token(&self) -> &str {
        &self.mask_text
    }

    /// Returns the mask token of other tokenizers that a text has instead of this tokenizer's, if it is
    /// unambiguous: this tokenizer has no such token, and the text none of its own.
    pub fn foreign_mask(&self, text: &str) -> Option<&'static str> {
        if text.contains(&self.mask_text) {
            return None;
        }
        let mut spellings = SPELLINGS.into_iter();
        spellings.find(|other| text.contains(other) && self.tokenizer.token_to_id(other).is_none())
    }

    /// Returns the number of tokens of a text that the model reads, if it has more.
    ///
    /// # Errors
    /// Fails if the tokenizer rejects the text.
    pub fn truncated(&self, text: &str) -> Result<Option<usize>, InferError> {
        let row = self.encoder.encode(&self.with_own_masks(text), None)?;
        Ok(row.truncated.then_some(row.ids.len()))
    }

    /// Returns a text with this tokenizer's masks in the places of foreign ones.
    fn with_own_masks<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.foreign_mask(text) {
            Some(foreign) => text.replace(foreign, &self.mask_text).into(),
            None => text.into(),
        }
    }

    /// Returns the `top_k` likeliest tokens for each mask of a text, in the order of the masks. A
    /// [foreign mask](Self::foreign_mask) counts as one. The probabilities of a mask are those with all
    /// other masks in their places.
    ///
    /// # Errors
    /// Fails if the tokenizer rejects the text, if there is no mask in it, or if one of them is beyond the
    /// model's maximum length.
    pub fn fill(&self, text: &str, top_k: usize) -> Result<Vec<Vec<Filling>>, InferError> {
        let text = self.with_own_masks(text);
        let row = self.encoder.encode(&text, None)?;
        let ids = row.ids;
        let masks = (0..).zip(ids.iter()).filter(|(_, id)| **id == self.mask);
        let places: Indices = masks.map(|(place, _)| place).collect();
        if places.is_empty() {
            return Err(InferError::NothingMasked {
                mask: self.mask_text.clone(),
                within: row.truncated.then_some(ids.len()),
            });
        }
        if row.truncated {
            let whole = self.tokenizer.encoder(LONGEST_TEXT, false)?;
            let whole = whole.encode(&text, None)?.ids;
            let of = whole.iter().filter(|id| **id == self.mask).count();
            if of > places.len() {
                let (number, side) = match self.encoder.truncation_side() {
                    TruncationSide::Right => (places.len() + 1, "first"),
                    TruncationSide::Left => (1, "last"),
                };
                return Err(InferError::MaskBeyond {
                    number,
                    of,
                    side,
                    within: ids.len(),
                });
            }
        }
        let tokens = PackedTokens {
            positions: (0..ids.len() as u32).collect(),
            type_ids: row.type_ids.into(),
            offsets: Offsets::from_lengths([ids.len() as u32]),
            used_rows: None,
            ids: ids.clone().into(),
        };
        let workers = Workers::of(&self.model.device());
        let logits = workers.run(|| self.model.logits(&tokens, &places))?;
        let words = logits.dims()[1];
        let logits = values_of(logits);
        let is_only = places.len() == 1;
        let rows = places.iter().zip(logits.chunks_exact(words));
        rows.map(|(&place, logits)| {
            let best = likeliest(logits, top_k).into_iter();
            best.map(|(token, score)| {
                let mut filled = ids.clone();
                filled[place as usize] = token;
                Ok(Filling {
                    score,
                    token,
                    token_str: self.tokenizer.decode(&[token], false)?,
                    // Other masks are special tokens, which would be left out.
                    sequence: self.tokenizer.decode(&filled, is_only)?,
                })
            })
            .collect()
        })
        .collect()
    }
}

/// Returns the ids with the largest logits and their probabilities, the likeliest first, and of equals the
/// one with the smaller id.
fn likeliest(logits: &[f32], top_k: usize) -> Vec<(u32, f32)> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponential = |logit: f32| f64::from(logit - largest).exp();
    let sum: f64 = logits.iter().map(|&logit| exponential(logit)).sum();
    let mut best: Vec<(u32, f32)> = (0..).zip(logits.iter().copied()).collect();
    let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if top_k < best.len() {
        best.select_nth_unstable_by(top_k, order);
        best.truncate(top_k);
    }
    best.sort_unstable_by(order);
    let probability = |logit| (exponential(logit) / sum) as f32;
    best.into_iter()
        .map(|(id, logit)| (id, probability(logit)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_come_first_and_their_probabilities_are_of_all() {
        let logits = [1.0, 3.0, 3.0, -200.0, 2.0];
        let ids = |top_k| likeliest(&logits, top_k).into_iter().map(|(id, _)| id);
        assert_eq!(ids(3).collect::<Vec<_>>(), [1, 2, 4]);
        assert_eq!(ids(9).collect::<Vec<_>>(), [1, 2, 4, 0, 3]);
        let all: f32 = likeliest(&logits, 5).iter().map(|(_, p)| p).sum();
        assert!((all - 1.0).abs() < 1e-6);
        assert_eq!(likeliest(&logits, 1)[0], likeliest(&logits, 5)[0]);
        assert_eq!(likeliest(&logits, 5)[4].1, 0.0);
    }
}
