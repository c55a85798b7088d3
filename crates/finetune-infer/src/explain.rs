//! Which words of a text speak for a prediction, and which against it: integrated gradients (Sundararajan et
//! al. 2017) with respect to the word embeddings.

use std::{ops::Range, str::FromStr};

use burn::{
    Tensor,
    module::Module,
    tensor::{Device, TensorData},
};
use finetune_data::{EncodedPlaces, TextEncoder, TextTokenizer, TokenPlace};
use finetune_kernels::{DropoutSource, Offsets, PackedTokens, values_of};
use finetune_models::{ModelError, SequenceClassifier, set_trained};
use serde::Serialize;

use crate::{Classifier, InferError, Prediction, Workers};

/// Points of the path at first, if their number is not given.
const FIRST_STEPS: usize = 32;
/// Points beyond which their number is not doubled.
const MOST_STEPS: usize = 1024;
/// The share of the difference that may be unexplained before their number is doubled.
const TOLERANCE: f64 = 0.05;

/// The token that stands in the place of each word where the path begins. Special tokens stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Baseline {
    /// The padding token.
    #[default]
    Padding,
    /// The mask token, which models know as an unknown word.
    Mask,
}

impl FromStr for Baseline {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "padding" => Ok(Self::Padding),
            "mask" => Ok(Self::Mask),
            _ => Err(format!(
                "\"{text}\" is no baseline; expected padding or mask"
            )),
        }
    }
}

impl Baseline {
    fn token(self, tokenizer: &TextTokenizer) -> Result<u32, InferError> {
        let (found, token) = match self {
            Self::Padding => {
                let names = ["[PAD]", "<pad>"].into_iter();
                let mut ids = names.filter_map(|name| tokenizer.token_to_id(name));
                (ids.next(), "padding")
            }
            Self::Mask => (tokenizer.mask_token_id(), "mask"),
        };
        found.ok_or(InferError::NoBaseline { token })
    }
}

/// How a prediction is explained.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explaining {
    /// The output that is explained, by its name; `None` for the likeliest class, or the first value of a
    /// regression.
    pub class: Option<String>,
    /// Where the path begins.
    pub baseline: Baseline,
    /// Number of points of the path; `None` doubles 32 until less than 5 % of the difference is unexplained,
    /// but not beyond 1,024.
    pub steps: Option<usize>,
}

/// A word, and what it adds to the output.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attribution {
    /// The text of a pair: 0 or 1.
    pub text: usize,
    /// Its first byte in that text.
    pub start: usize,
    /// The byte after its last one.
    pub end: usize,
    /// What it adds to the output: a logit, or a value of a regression.
    pub attribution: f64,
}

/// The words of a text, or of a pair, with what each adds to an output of the model. The sum is the difference
/// of that output between the text and a text of baseline tokens, up to the completeness error.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The words that the model reads, in order.
    pub words: Vec<Attribution>,
    /// The same for each token, `[tokens]`; 0 for special tokens.
    pub tokens: Vec<f64>,
    /// The index of the explained output.
    pub target: usize,
    /// Its name; empty if it has none.
    pub label: String,
    /// The output for the text: a logit, or a value of a regression.
    pub output: f64,
    /// The output for the baseline.
    pub baseline_output: f64,
    /// What stands in the place of words in the baseline.
    pub baseline: Baseline,
    /// Number of points of the path.
    pub steps: usize,
    /// Number of tokens that the model reads, if the text has more.
    pub truncated: Option<usize>,
    /// The prediction for the text.
    pub prediction: Prediction,
}

impl Explanation {
    /// Returns what the words explain: the output for the text less that for the baseline.
    pub fn difference(&self) -> f64 {
        self.output - self.baseline_output
    }

    /// Returns the sum of all attributions less the difference that they explain, which is 0 for a path of
    /// infinitely many points.
    pub fn completeness_error(&self) -> f64 {
        self.tokens.iter().sum::<f64>() - self.difference()
    }

    /// Returns the completeness error as a share of the difference.
    pub fn completeness_share(&self) -> f64 {
        self.completeness_error().abs() / self.difference().abs().max(f64::MIN_POSITIVE)
    }

    /// Returns whether so little of the difference is unexplained that more points would change nothing that
    /// one sees. A difference near 0 is compared with what the words add and take away.
    fn is_complete(&self) -> bool {
        let moved: f64 = self.tokens.iter().map(|value| value.abs()).sum();
        let most = TOLERANCE * self.difference().abs().max(0.02 * moved);
        self.completeness_error().abs() <= most
    }
}

impl Classifier {
    /// Explains the prediction for a text, or a pair of texts, which `encoder` truncates. It is computed in the
    /// [precision](Self::set_precision) of the model; bf16 leaves more of the difference unexplained.
    ///
    /// # Errors
    /// Fails if the tokenizer rejects the text, if it has no words, if the model has no such output, or if the
    /// tokenizer lacks the baseline's token.
    pub fn explain(
        &self,
        first: &str,
        second: Option<&str>,
        encoder: &TextEncoder,
        explaining: &Explaining,
    ) -> Result<Explanation, InferError> {
        let encoded = encoder.encode_places(first, second)?;
        if encoded.places.iter().all(Option::is_none) {
            return Err(InferError::NothingToExplain);
        }
        let EncodedPlaces { row, places } = encoded;
        let token = explaining.baseline.token(self.tokenizer())?;
        let replaced = row.ids.iter().zip(&places);
        let replaced = replaced.map(|(&id, place)| match place {
            Some(_) => token,
            None => id,
        });
        let path = Path::new(self.model(), &row.ids, &row.type_ids, replaced.collect());
        let ends = path.outputs()?;
        let (outputs, baseline_outputs) = ends.split_at(ends.len() / 2);
        let prediction = Prediction::new(self.model().config(), outputs);
        let names = self.outputs().names();
        let target = match &explaining.class {
            Some(name) => {
                let named = names.iter().position(|known| known == name);
                named.ok_or_else(|| InferError::UnknownOutput {
                    name: name.clone(),
                    known: names.to_vec(),
                })?
            }
            None => {
                let likeliest = names.iter().position(|name| *name == prediction.label);
                likeliest.unwrap_or(0)
            }
        };
        let mut explanation = Explanation {
            words: Vec::new(),
            tokens: Vec::new(),
            target,
            label: names.get(target).cloned().unwrap_or_default(),
            output: f64::from(outputs[target]),
            baseline_output: f64::from(baseline_outputs[target]),
            baseline: explaining.baseline,
            steps: explaining.steps.unwrap_or(FIRST_STEPS).max(1),
            truncated: row.truncated.then_some(row.ids.len()),
            prediction,
        };
        loop {
            explanation.tokens = path.attributions(target, explanation.steps)?;
            let is_given = explaining.steps.is_some();
            if is_given || explanation.is_complete() || explanation.steps >= MOST_STEPS {
                break;
            }
            explanation.steps *= 2;
        }
        explanation.words = words(&places, &explanation.tokens, [first, second.unwrap_or("")]);
        Ok(explanation)
    }
}

/// The straight path from a row of baseline tokens to a row of tokens, in the space of word embeddings.
struct Path {
    /// The model with autodiff, in which nothing is trained.
    model: SequenceClassifier,
    device: Device,
    ids: Vec<u32>,
    type_ids: Vec<u32>,
    /// The baseline's embeddings, `[tokens, embedding]`.
    start: Vec<f32>,
    /// The way from there to the row's, `[tokens, embedding]`.
    way: Vec<f32>,
}

impl Path {
    fn new(
        model: &SequenceClassifier,
        ids: &[u32],
        type_ids: &[u32],
        baseline_ids: Vec<u32>,
    ) -> Self {
        let embeddings = |ids: &[u32]| values_of(model.encoder.word_embeddings(ids));
        let (start, end) = (embeddings(&baseline_ids), embeddings(ids));
        let way = end.iter().zip(&start).map(|(end, start)| end - start);
        let way = way.collect();
        let model = set_trained(model.clone(), &|_| false).train();
        Self {
            device: model.device(),
            model,
            ids: ids.into(),
            type_ids: type_ids.into(),
            start,
            way,
        }
    }

    /// Returns the outputs at the path's end and at its start, one after the other.
    fn outputs(&self) -> Result<Vec<f32>, InferError> {
        let workers = Workers::of(&self.device);
        let logits = workers.run(|| self.forward(self.points(&[1.0, 0.0]), 2))?;
        Ok(values_of(logits.inner()))
    }

    /// Returns the embeddings at these shares of the path, `[points * tokens, embedding]`.
    fn points(&self, shares: &[f64]) -> Tensor<2> {
        let mut values = Vec::with_capacity(shares.len() * self.start.len());
        for &share in shares {
            let steps = self.start.iter().zip(&self.way);
            values.extend(steps.map(|(start, way)| start + share as f32 * way));
        }
        let rows = shares.len() * self.ids.len();
        let shape = [rows, values.len() / rows];
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }

    /// Computes the outputs of rows with these embeddings, `[points, outputs]`.
    fn forward(&self, words: Tensor<2>, points: usize) -> Result<Tensor<2>, ModelError> {
        let length = self.ids.len();
        let tokens = PackedTokens {
            ids: self.ids.repeat(points).into(),
            positions: (0..points).flat_map(|_| 0..length as u32).collect(),
            type_ids: self.type_ids.repeat(points).into(),
            offsets: Offsets::from_lengths(std::iter::repeat_n(length as u32, points)),
            used_rows: None,
        };
        let off = DropoutSource::OFF;
        let hidden = self.model.encoder.embed_words(words, &tokens, off)?;
        Ok(self.model.forward_from(hidden, &tokens.offsets, off))
    }

    /// Returns what each token adds to an output: the way in its embedding times the mean gradient at the
    /// middles of `steps` equal parts of the path.
    fn attributions(&self, target: usize, steps: usize) -> Result<Vec<f64>, InferError> {
        let workers = Workers::of(&self.device);
        let length = self.ids.len();
        let at_once = (workers.tokens_at_once() / length).max(1);
        let shares: Vec<f64> = (0..steps)
            .map(|step| (step as f64 + 0.5) / steps as f64)
            .collect();
        let mut sums = vec![0.0; self.way.len()];
        for shares in shares.chunks(at_once) {
            let gradients = workers.run(|| {
                let words = self.points(shares).require_grad();
                let outputs = self.forward(words.clone(), shares.len())?;
                let of_target = outputs.narrow(1, target, 1).sum();
                let gradients = words.grad(&of_target.backward());
                // The output depends on every embedding.
                Ok::<_, ModelError>(gradients.map(values_of).unwrap_or_default())
            })?;
            for gradients in gradients.chunks_exact(self.way.len()) {
                for (sum, gradient) in sums.iter_mut().zip(gradients) {
                    *sum += f64::from(*gradient);
                }
            }
        }
        let width = self.way.len() / length;
        let products = self.way.iter().zip(&sums);
        let products: Vec<f64> = products
            .map(|(way, sum)| f64::from(*way) * sum / steps as f64)
            .collect();
        Ok(products
            .chunks_exact(width)
            .map(|token| token.iter().sum())
            .collect())
    }
}

/// Adds up the attributions of the pieces of each word.
fn words(places: &[Option<TokenPlace>], tokens: &[f64], texts: [&str; 2]) -> Vec<Attribution> {
    let mut words: Vec<(Attribution, Option<u32>)> = Vec::new();
    // What belongs to blanks alone counts for the word after them.
    let mut of_blanks = 0.0;
    for (place, attribution) in places.iter().zip(tokens) {
        let Some(TokenPlace { text, bytes, word }) = place else {
            continue;
        };
        let bytes = trimmed(texts[*text], bytes.clone());
        if bytes.is_empty() {
            of_blanks += attribution;
            continue;
        }
        match words.last_mut() {
            Some((last, number)) if last.text == *text && word.is_some() && *number == *word => {
                last.end = last.end.max(bytes.end);
                last.attribution += attribution + of_blanks;
            }
            _ => {
                let attribution = Attribution {
                    text: *text,
                    start: bytes.start,
                    end: bytes.end,
                    attribution: attribution + of_blanks,
                };
                words.push((attribution, *word));
            }
        }
        of_blanks = 0.0;
    }
    if let Some((last, _)) = words.last_mut() {
        last.attribution += of_blanks;
    }
    words.into_iter().map(|(word, _)| word).collect()
}

/// Returns a range of a text without the blanks around it.
fn trimmed(text: &str, bytes: Range<usize>) -> Range<usize> {
    let Some(part) = text.get(bytes.clone()) else {
        return bytes;
    };
    let start = bytes.start + part.len() - part.trim_start().len();
    start..start + part.trim().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: usize, bytes: Range<usize>, word: Option<u32>) -> Option<TokenPlace> {
        Some(TokenPlace { text, bytes, word })
    }

    #[test]
    fn pieces_are_added_up_by_word() {
        let places = [
            None,
            place(0, 0..3, Some(0)),
            place(0, 3..6, Some(0)),
            // With the blank before it, as byte-level tokenizers have it.
            place(0, 6..10, Some(1)),
            None,
            place(1, 0..1, Some(1)),
            // A blank by itself.
            place(1, 1..2, Some(2)),
            place(1, 2..3, Some(3)),
            place(1, 3..4, None),
            None,
        ];
        let tokens = [9.0, 1.0, 2.0, 4.0, 9.0, 8.0, 16.0, 32.0, 64.0, 9.0];
        let found = words(&places, &tokens, ["unseen far", "a bc"]);
        let found: Vec<_> = found
            .iter()
            .map(|word| (word.text, word.start, word.end, word.attribution))
            .collect();
        let expected = [
            (0, 0, 6, 3.0),
            (0, 7, 10, 4.0),
            (1, 0, 1, 8.0),
            (1, 2, 3, 48.0),
            (1, 3, 4, 64.0),
        ];
        assert_eq!(found, expected);
    }
}
