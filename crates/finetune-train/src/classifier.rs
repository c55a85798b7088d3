//! The result of a run, for predicting.

use std::path::Path;

use burn::tensor::Device;
use finetune_data::{TextEncoder, TextTokenizer};
use finetune_kernels::DropoutSource;
use finetune_metrics::{argmax, sigmoid, softmax};
use finetune_models::{ModelConfig, ModelError, Outputs, SequenceClassifier};
use finetune_peft::{AdapterFile, load_adapter};
use serde::Serialize;

use crate::{ADAPTER, TrainError, packed_tokens};

/// A saved model with its tokenizer.
#[derive(Debug)]
pub struct Classifier {
    model: SequenceClassifier,
    tokenizer: TextTokenizer,
}

/// Loads `tokenizer.json` of a model directory. One with more tokens than the model has is an error.
pub fn load_tokenizer(directory: &Path, config: &ModelConfig) -> Result<TextTokenizer, TrainError> {
    let path = directory.join("tokenizer.json");
    if !path.exists() {
        return Err(ModelError::MissingFile {
            directory: directory.into(),
            file: "tokenizer.json",
        }
        .into());
    }
    let tokenizer = TextTokenizer::from_file(&path)?;
    if tokenizer.vocab_size() > config.vocab_size {
        return Err(TrainError::Plan(format!(
            "{} has {} tokens, but the vocab_size in config.json beside it is {}: they do not belong together",
            path.display(),
            tokenizer.vocab_size(),
            config.vocab_size
        )));
    }
    Ok(tokenizer)
}

/// What a model says about one text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// Name of the likeliest class; empty for regression.
    pub label: String,
    /// Names of the classes that are at least as likely as not; of a multi-label model only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// Probability of `label`; for regression the (first) predicted value.
    pub confidence: f32,
    /// Probability of each class, in class order; empty for regression.
    pub probabilities: Vec<f32>,
    /// The model's outputs, `[outputs]`.
    pub logits: Vec<f32>,
}

impl Classifier {
    /// Loads a saved model directory, or an adapter's whose base model is a directory. One without a
    /// classifier is an error: its predictions would be random.
    pub fn load(directory: &Path, device: &Device) -> Result<Self, TrainError> {
        if directory.join("adapter_config.json").exists() {
            let base = AdapterFile::read(directory)?.base_model;
            let path = Path::new(&base);
            return match path.is_dir() {
                true => Self::load_adapter(path, directory, device),
                false => Err(TrainError::Plan(format!(
                    "{} is an adapter of \"{base}\", which is not a directory here; get that model and give both to Classifier::load_adapter",
                    directory.display()
                ))),
            };
        }
        let (model, report) = SequenceClassifier::load(directory, None, 0, device)?;
        if !report.fresh.is_empty() {
            return Err(TrainError::Plan(format!(
                "{} holds an encoder without a trained classifier (no {}); train one first with `finetune train --model {}`",
                directory.display(),
                report.fresh.join(", "),
                directory.display(),
            )));
        }
        let tokenizer = load_tokenizer(directory, model.config())?;
        Ok(Self { model, tokenizer })
    }

    /// Loads an adapter's directory onto its base model, both given.
    pub fn load_adapter(base: &Path, adapter: &Path, device: &Device) -> Result<Self, TrainError> {
        // The adapter's own config.json says what the outputs are; peft writes none.
        let outputs = match adapter.join("config.json").exists() {
            true => Some(ModelConfig::from_directory(adapter)?.outputs),
            false => None,
        };
        let (mut model, _) = SequenceClassifier::load(base, outputs, 0, device)?;
        load_adapter(&mut model, ADAPTER, adapter, device)?;
        let tokenizer_from = match adapter.join("tokenizer.json").exists() {
            true => adapter,
            false => base,
        };
        let tokenizer = load_tokenizer(tokenizer_from, model.config())?;
        Ok(Self { model, tokenizer })
    }

    /// The model.
    pub fn model(&self) -> &SequenceClassifier {
        &self.model
    }

    /// Folds the adapter that [`load_adapter`](Self::load_adapter) put on into the weights.
    pub fn merge_adapter(&mut self) -> Result<(), TrainError> {
        Ok(finetune_peft::merge(&mut self.model, ADAPTER)?)
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &TextTokenizer {
        &self.tokenizer
    }

    /// What the outputs mean.
    pub fn outputs(&self) -> &Outputs {
        &self.model.config().outputs
    }

    /// Predicts one batch of texts, cut at the model's longest sequence.
    pub fn predict<S: AsRef<str>>(&self, texts: &[S]) -> Result<Vec<Prediction>, TrainError> {
        let rows: Vec<_> = texts
            .iter()
            .map(|text| (text.as_ref(), None::<&str>))
            .collect();
        let max_length = self.model.config().max_position_embeddings;
        self.predict_rows(&rows, &self.encoder(max_length, false)?)
    }

    /// An encoder for [`predict_rows`](Self::predict_rows): of texts or of pairs, cut at
    /// `max_length` tokens or the model's longest sequence.
    pub fn encoder(&self, max_length: usize, pairs: bool) -> Result<TextEncoder, TrainError> {
        let longest = self.model.config().max_position_embeddings;
        Ok(self.tokenizer.encoder(max_length.min(longest), pairs)?)
    }

    /// Predicts one batch of texts or pairs of texts.
    pub fn predict_rows<A, B>(
        &self,
        rows: &[(A, Option<B>)],
        encoder: &TextEncoder,
    ) -> Result<Vec<Prediction>, TrainError>
    where
        A: AsRef<str> + Sync,
        B: AsRef<str> + Sync,
    {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let batch = encoder.encode_batch(rows)?;
        let logits = self
            .model
            .forward(&packed_tokens(&batch)?, DropoutSource::OFF)?;
        let width = logits.dims()[1];
        let logits: Vec<f32> = logits.into_data().iter::<f32>().collect();
        let predictions = logits.chunks(width).map(|row| self.prediction(row));
        Ok(predictions.collect())
    }

    fn prediction(&self, logits: &[f32]) -> Prediction {
        match self.outputs() {
            Outputs::Regression(_) => Prediction {
                label: String::new(),
                labels: None,
                confidence: logits[0],
                probabilities: Vec::new(),
                logits: logits.to_vec(),
            },
            Outputs::Classes(names) => {
                let probabilities = softmax(logits);
                let class = argmax(logits).unwrap_or(0);
                Prediction {
                    label: names[class].clone(),
                    labels: None,
                    confidence: probabilities[class],
                    probabilities,
                    logits: logits.to_vec(),
                }
            }
            Outputs::MultiLabel(names) => {
                let probabilities: Vec<f32> =
                    logits.iter().map(|&logit| sigmoid(logit) as f32).collect();
                let class = argmax(logits).unwrap_or(0);
                let likely = names.iter().zip(&probabilities);
                let likely = likely.filter(|(_, probability)| **probability >= 0.5);
                Prediction {
                    label: names[class].clone(),
                    labels: Some(likely.map(|(name, _)| name.clone()).collect()),
                    confidence: probabilities[class],
                    probabilities,
                    logits: logits.to_vec(),
                }
            }
        }
    }
}
