//! A saved model with its tokenizer, for predicting.

use std::{collections::BTreeMap, path::Path};

use burn::tensor::Device;
use finetune_data::{PackedBatch, TextEncoder, TextTokenizer, has_tokenizer};
use finetune_kernels::{DropoutSource, Precision, values_of};
use finetune_models::{ModelConfig, SequenceClassifier};
use finetune_peft::ADAPTER_CONFIG;
use finetune_task::Task;

use crate::{
    ADAPTER, InferError, Prediction, Workers,
    adapted::{Base, base_directory},
    device,
};

/// The default for the largest number of texts in a batch.
const BATCH_ROWS: usize = 32;

/// A saved model with its tokenizer. It is `Send` and `Sync`, so threads can share it.
///
/// ```no_run
/// use finetune_infer::{Classifier, Prediction};
///
/// let classifier = Classifier::load("runs/reviews-1/model")?;
/// let Prediction { label, confidence, .. } = &classifier.predict(&["not bad at all"])?[0];
/// println!("{label} ({confidence:.2})");
/// # Ok::<(), finetune_infer::InferError>(())
/// ```
#[derive(Debug)]
pub struct Classifier {
    model: SequenceClassifier,
    tokenizer: TextTokenizer,
    /// Encodes single texts, truncated to [`default_max_length`](Self::default_max_length).
    encoder: TextEncoder,
    device: Device,
    /// Remarks on the files for the user.
    notes: Vec<String>,
    /// The model without any adapter, whose tensors all adapters' models share.
    base: Base,
    /// The base model with each adapter that was added, by name.
    adapters: BTreeMap<String, SequenceClassifier>,
}

/// Loads the tokenizer of a model directory.
///
/// # Errors
/// Fails if a file is missing or damaged, or if the tokenizer has more tokens than the model.
pub fn load_tokenizer(directory: &Path, config: &ModelConfig) -> Result<TextTokenizer, InferError> {
    let tokenizer = TextTokenizer::from_directory(directory)?;
    if tokenizer.vocab_size() > config.vocab_size {
        let files = ["tokenizer.json", "vocab.txt", "vocab.json"];
        let mut files = files.map(|name| directory.join(name)).into_iter();
        let file = files.find(|file| file.exists()).unwrap_or_default();
        return Err(InferError::Vocabulary {
            file,
            tokens: tokenizer.vocab_size(),
            vocab_size: config.vocab_size,
        });
    }
    Ok(tokenizer)
}

impl Classifier {
    /// Loads a saved model directory onto the CPU. The directory may be an adapter's, if its base
    /// model is a local directory.
    ///
    /// # Errors
    /// Fails as [`load_on`](Self::load_on) does.
    pub fn load(directory: impl AsRef<Path>) -> Result<Self, InferError> {
        Self::load_on(directory, &device("cpu")?)
    }

    /// Loads as [`load`](Self::load) does, onto another [`device`].
    ///
    /// # Errors
    /// Fails if a file is missing or damaged, if the model has no trained classifier, so that
    /// predictions would be random, or if an adapter's base model is a directory relative neither to
    /// the current directory nor to the adapter ([`load_adapter`](Self::load_adapter) takes both).
    pub fn load_on(directory: impl AsRef<Path>, device: &Device) -> Result<Self, InferError> {
        let directory = directory.as_ref();
        if directory.join(ADAPTER_CONFIG).exists() {
            let base = base_directory(directory)?;
            return Self::load_adapter(&base, directory, device);
        }
        let base = load_packed(directory, device)?;
        if !base.fresh.is_empty() {
            return Err(InferError::NoClassifier {
                directory: directory.into(),
                missing: base.fresh,
            });
        }
        let tokenizer = load_tokenizer(directory, base.model.config())?;
        let model = base.model.clone();
        Self::new(base, model, tokenizer, device)
    }

    /// Loads an adapter's directory onto the given base model.
    ///
    /// # Errors
    /// Fails if a file is missing or damaged, if the adapter is for another model, or if neither has
    /// the head or pooler, so that predictions would be random.
    pub fn load_adapter(base: &Path, adapter: &Path, device: &Device) -> Result<Self, InferError> {
        let tokenizer_from = match has_tokenizer(adapter) {
            true => adapter,
            false => base,
        };
        let base = load_packed(base, device)?;
        let model = base.with_adapter(adapter, device)?;
        let tokenizer = load_tokenizer(tokenizer_from, model.config())?;
        Self::new(base, model, tokenizer, device)
    }

    fn new(
        base: Base,
        model: SequenceClassifier,
        tokenizer: TextTokenizer,
        device: &Device,
    ) -> Result<Self, InferError> {
        let longest = model.config().longest_sequence();
        let max_length = tokenizer.model_max_length().unwrap_or(longest).min(longest);
        let encoder = tokenizer.encoder(max_length, false)?;
        let tokenizer_notes = tokenizer.notes().iter().map(ToString::to_string);
        Ok(Self {
            notes: base.notes.iter().cloned().chain(tokenizer_notes).collect(),
            model,
            tokenizer,
            encoder,
            device: device.clone(),
            base,
            adapters: BTreeMap::new(),
        })
    }

    /// Adds an adapter of the same base model under a `name` for
    /// [`predict_with`](Self::predict_with), or replaces the one with that name. Its labels may
    /// differ from the model's. The base model's weights are held in memory once, however many
    /// adapters there are.
    ///
    /// # Errors
    /// Fails as [`load_adapter`](Self::load_adapter) does, or if the adapter has another tokenizer.
    pub fn add_adapter(
        &mut self,
        name: impl Into<String>,
        directory: impl AsRef<Path>,
    ) -> Result<(), InferError> {
        let (name, directory) = (name.into(), directory.as_ref());
        let model = self.base.with_adapter(directory, &self.device)?;
        if has_tokenizer(directory)
            && load_tokenizer(directory, model.config())?.hash() != self.tokenizer.hash()
        {
            return Err(InferError::OtherTokenizer {
                adapter: directory.into(),
            });
        }
        self.adapters.insert(name, model);
        Ok(())
    }

    /// Sets the precision of the encoder's matrix multiplications, also for adapters added later. On
    /// the CPU this keeps a packed copy of the encoder's weights, which takes the same memory again
    /// in f32 and half of it in bf16.
    pub fn set_precision(&mut self, precision: Precision) {
        let models = [&mut self.model, &mut self.base.model];
        for model in models.into_iter().chain(self.adapters.values_mut()) {
            model.set_precision(precision);
        }
    }

    /// Returns the default length, in tokens, to truncate rows to: the model's longest sequence, or
    /// the tokenizer's `model_max_length` if that is shorter.
    pub fn default_max_length(&self) -> usize {
        self.encoder.max_length()
    }

    /// Returns remarks on the model's files for the user, such as unused weights or contradictory
    /// tokenizer settings.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Returns the names of the adapters that [`add_adapter`](Self::add_adapter) added.
    pub fn adapters(&self) -> impl Iterator<Item = &str> {
        self.adapters.keys().map(String::as_str)
    }

    /// Returns the model.
    pub fn model(&self) -> &SequenceClassifier {
        &self.model
    }

    /// Merges the adapter that [`load_adapter`](Self::load_adapter) loaded into the weights.
    ///
    /// # Errors
    /// Fails if the adapter cannot be merged.
    pub fn merge_adapter(&mut self) -> Result<(), InferError> {
        Ok(finetune_peft::merge(&mut self.model, ADAPTER)?)
    }

    /// Returns the tokenizer.
    pub fn tokenizer(&self) -> &TextTokenizer {
        &self.tokenizer
    }

    /// Returns the task and the names of the outputs.
    pub fn outputs(&self) -> &Task {
        &self.model.config().outputs
    }

    /// Names the outputs, in order, of a model whose names are placeholders (`LABEL_0`, …).
    ///
    /// # Errors
    /// Fails if the number of names differs from that of the outputs, if a name occurs twice, or if
    /// the model has other names.
    pub fn name_labels(&mut self, names: &[String]) -> Result<(), InferError> {
        let outputs = self.outputs();
        if names.len() != outputs.num_labels() {
            return Err(InferError::NameCount {
                names: names.to_vec(),
                outputs: outputs.num_labels(),
            });
        }
        if let Some(twice) = (1..names.len()).find(|&at| names[..at].contains(&names[at])) {
            return Err(InferError::NameTwice {
                name: names[twice].clone(),
            });
        }
        if outputs.names() == names {
            return Ok(());
        }
        if !outputs.is_unnamed() {
            return Err(InferError::OtherNames {
                own: outputs.names().to_vec(),
                names: names.to_vec(),
            });
        }
        let (outputs, thresholds) = (outputs.renamed(names.to_vec()), self.thresholds());
        self.model.name_outputs(outputs)?;
        self.model.set_label_thresholds(thresholds);
        Ok(())
    }

    fn thresholds(&self) -> Option<Vec<f64>> {
        self.model.config().label_thresholds.clone()
    }

    /// Predicts any number of texts, truncated to
    /// [`default_max_length`](Self::default_max_length), and returns the results in their order.
    /// Texts of similar length are batched together, which may change the last bits of the logits.
    ///
    /// # Errors
    /// Fails if the tokenizer rejects a text.
    pub fn predict<S: AsRef<str>>(&self, texts: &[S]) -> Result<Vec<Prediction>, InferError> {
        self.predict_texts(&self.model, texts)
    }

    /// Predicts as [`predict`](Self::predict) does, with the named adapter. The choice applies to
    /// this call only, so threads can use different adapters at the same time.
    ///
    /// # Errors
    /// Fails if no adapter has this name or the tokenizer rejects a text.
    pub fn predict_with<S: AsRef<str>>(
        &self,
        adapter: &str,
        texts: &[S],
    ) -> Result<Vec<Prediction>, InferError> {
        let Some(model) = self.adapters.get(adapter) else {
            let names: Vec<_> = self.adapters().collect();
            return Err(InferError::UnknownAdapter {
                name: adapter.into(),
                known: match names.is_empty() {
                    true => "none was added".into(),
                    false => format!("the adapters are {}", names.join(", ")),
                },
            });
        };
        self.predict_texts(model, texts)
    }

    fn predict_texts<S: AsRef<str>>(
        &self,
        model: &SequenceClassifier,
        texts: &[S],
    ) -> Result<Vec<Prediction>, InferError> {
        let rows: Vec<_> = texts
            .iter()
            .map(|text| (text.as_ref(), None::<&str>))
            .collect();
        predict(
            model,
            &self.encoder.encode_batch(&rows)?,
            BATCH_ROWS,
            || false,
        )
    }

    /// Creates an encoder of texts or of pairs for [`predict_rows`](Self::predict_rows) and
    /// [`predict_tokens`](Self::predict_tokens), which truncates to `max_length` tokens, or to the
    /// model's longest sequence if that is shorter.
    ///
    /// # Errors
    /// Fails if `max_length` leaves no room for the special tokens.
    pub fn encoder(&self, max_length: usize, pairs: bool) -> Result<TextEncoder, InferError> {
        let longest = self.model.config().longest_sequence();
        Ok(self.tokenizer.encoder(max_length.min(longest), pairs)?)
    }

    /// Predicts texts or pairs of texts, as [`predict`](Self::predict) does.
    ///
    /// # Errors
    /// Fails if the tokenizer rejects a text.
    pub fn predict_rows<A, B>(
        &self,
        rows: &[(A, Option<B>)],
        encoder: &TextEncoder,
    ) -> Result<Vec<Prediction>, InferError>
    where
        A: AsRef<str> + Sync,
        B: AsRef<str> + Sync,
    {
        self.predict_tokens(&encoder.encode_batch(rows)?, BATCH_ROWS)
    }

    /// Predicts rows that an [`encoder`](Self::encoder) has tokenized earlier or on another thread,
    /// and returns the results in their order. A batch has at most `batch_size` rows, and fewer if
    /// they are long.
    ///
    /// # Errors
    /// Fails if the tokens do not fit the model.
    pub fn predict_tokens(
        &self,
        rows: &PackedBatch,
        batch_size: usize,
    ) -> Result<Vec<Prediction>, InferError> {
        self.predict_tokens_until(rows, batch_size, || false)
    }

    /// Predicts as [`predict_tokens`](Self::predict_tokens) does, until `stop`, which is called before
    /// each batch, returns true.
    ///
    /// # Errors
    /// Fails with [`InferError::Interrupted`] if stopped, or as `predict_tokens` does.
    pub fn predict_tokens_until(
        &self,
        rows: &PackedBatch,
        batch_size: usize,
        stop: impl Fn() -> bool,
    ) -> Result<Vec<Prediction>, InferError> {
        predict(&self.model, rows, batch_size, stop)
    }
}

/// Loads a model whose weights are packed on first use, once for all its clones.
fn load_packed(directory: &Path, device: &Device) -> Result<Base, InferError> {
    let (mut model, report) = SequenceClassifier::load(directory, None, 0, device)?;
    model.pack_frozen(true);
    Ok(Base {
        model,
        notes: report.notes(),
        fresh: report.fresh,
        directory: directory.into(),
    })
}

fn predict(
    model: &SequenceClassifier,
    rows: &PackedBatch,
    batch_size: usize,
    stop: impl Fn() -> bool,
) -> Result<Vec<Prediction>, InferError> {
    let workers = Workers::of(&model.device());
    let mut predictions = Vec::with_capacity(rows.batch_size());
    for group in rows.by_length(batch_size, workers.tokens_at_once()) {
        if stop() {
            return Err(InferError::Interrupted);
        }
        let tokens = rows.tokens.select(&group);
        let logits = workers.run(|| model.forward(&tokens, DropoutSource::OFF))?;
        let width = logits.dims()[1];
        let logits = values_of(logits);
        let group_predictions = logits
            .chunks(width)
            .map(|logits| Prediction::new(model.config(), logits));
        predictions.extend(group.into_iter().zip(group_predictions));
    }
    predictions.sort_unstable_by_key(|(row, _)| *row);
    let in_order = predictions.into_iter().map(|(_, prediction)| prediction);
    Ok(in_order.collect())
}
