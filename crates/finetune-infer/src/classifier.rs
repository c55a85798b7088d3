//! A saved model with its tokenizer, for predicting.

use std::{collections::BTreeMap, path::Path};

use burn::tensor::Device;
use finetune_data::{PackedBatch, TextEncoder, TextTokenizer, has_tokenizer};
use finetune_kernels::{DropoutSource, Precision};
use finetune_models::{ModelConfig, SequenceClassifier};
use finetune_peft::ADAPTER_CONFIG;
use finetune_task::Task;

use crate::{
    ADAPTER, InferError, Prediction, Workers,
    adapted::{Base, base_directory},
    device,
};

/// Most texts that are computed together, where nobody says how many.
const BATCH_ROWS: usize = 32;

/// A saved model with its tokenizer. It is `Send` and `Sync`: threads predict with one together.
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
    /// Of single texts, cut at the longest sequence.
    encoder: TextEncoder,
    device: Device,
    /// What a person should know of the files.
    notes: Vec<String>,
    /// The model without any adapter, whose tensors all adapters' models share.
    base: Base,
    /// The base with an adapter each, by the names given.
    adapters: BTreeMap<String, SequenceClassifier>,
}

/// Loads the tokenizer of a model directory. One with more tokens than the model has is an error.
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
    /// Loads a saved model directory onto the CPU, or an adapter's whose base model is a directory.
    ///
    /// # Errors
    /// As [`load_on`](Self::load_on).
    pub fn load(directory: impl AsRef<Path>) -> Result<Self, InferError> {
        Self::load_on(directory, &device("cpu")?)
    }

    /// [`load`](Self::load) onto another [`device`].
    ///
    /// # Errors
    /// Files that are missing or damaged; a directory without a classifier, whose predictions would
    /// be random; an adapter whose base model is not a directory, seen from here or from the adapter
    /// ([`load_adapter`](Self::load_adapter) takes both).
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

    /// Loads an adapter's directory onto its base model, both given.
    ///
    /// # Errors
    /// Files that are missing or damaged; an adapter of another model; a head or pooler that neither
    /// has, so that predictions would be random.
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
        let by_default = tokenizer.model_max_length().unwrap_or(longest).min(longest);
        let encoder = tokenizer.encoder(by_default, false)?;
        let of_tokenizer = tokenizer.notes().iter().map(ToString::to_string);
        Ok(Self {
            notes: base.notes.iter().cloned().chain(of_tokenizer).collect(),
            model,
            tokenizer,
            encoder,
            device: device.clone(),
            base,
            adapters: BTreeMap::new(),
        })
    }

    /// Adds an adapter of the same base model, to be chosen by `name` in
    /// [`predict_with`](Self::predict_with), or replaces the one of that name. It may have labels of
    /// its own. The base model's weights are in memory once, however many adapters there are.
    ///
    /// # Errors
    /// As [`load_adapter`](Self::load_adapter), and an adapter with another tokenizer.
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

    /// Computes the encoder's products in `precision` from now on, also those of adapters that are
    /// added later. On the CPU the encoder's weights are kept in the processor's form too: in f32 in
    /// as much memory again, in bf16 in half of it.
    pub fn set_precision(&mut self, precision: Precision) {
        let models = [&mut self.model, &mut self.base.model];
        for model in models.into_iter().chain(self.adapters.values_mut()) {
            model.set_precision(precision);
        }
    }

    /// Where rows are cut if nobody says so, in tokens: at the model's longest sequence, or what the
    /// tokenizer's settings name (`model_max_length`).
    pub fn default_max_length(&self) -> usize {
        self.encoder.max_length()
    }

    /// What a person should know of the model's files: weights without use, settings of the tokenizer
    /// that contradict each other.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Names of the adapters that [`add_adapter`](Self::add_adapter) added.
    pub fn adapters(&self) -> impl Iterator<Item = &str> {
        self.adapters.keys().map(String::as_str)
    }

    /// The model.
    pub fn model(&self) -> &SequenceClassifier {
        &self.model
    }

    /// Folds the adapter that [`load_adapter`](Self::load_adapter) put on into the weights.
    pub fn merge_adapter(&mut self) -> Result<(), InferError> {
        Ok(finetune_peft::merge(&mut self.model, ADAPTER)?)
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &TextTokenizer {
        &self.tokenizer
    }

    /// What the outputs mean.
    pub fn outputs(&self) -> &Task {
        &self.model.config().outputs
    }

    /// Names the outputs of a model whose own names say nothing (`LABEL_0`, …), in order.
    ///
    /// # Errors
    /// Another number of names than of outputs; a name twice; a model that has other names.
    pub fn name_labels(&mut self, names: &[String]) -> Result<(), InferError> {
        let own = self.outputs();
        if names.len() != own.num_labels() {
            return Err(InferError::NameCount {
                names: names.to_vec(),
                outputs: own.num_labels(),
            });
        }
        if let Some(twice) = (1..names.len()).find(|&at| names[..at].contains(&names[at])) {
            return Err(InferError::NameTwice {
                name: names[twice].clone(),
            });
        }
        if own.names() == names {
            return Ok(());
        }
        if !own.is_unnamed() {
            return Err(InferError::OtherNames {
                own: own.names().to_vec(),
                names: names.to_vec(),
            });
        }
        let (outputs, thresholds) = (own.renamed(names.to_vec()), self.thresholds());
        self.model.name_outputs(outputs)?;
        self.model.set_label_thresholds(thresholds);
        Ok(())
    }

    fn thresholds(&self) -> Option<Vec<f64>> {
        self.model.config().label_thresholds.clone()
    }

    /// Predicts any number of texts, cut at the model's longest sequence; the results are in their
    /// order. Texts of similar length are computed together, and with which ones a text is may change
    /// the last bits of its logits.
    ///
    /// # Errors
    /// A text that the tokenizer refuses.
    pub fn predict<S: AsRef<str>>(&self, texts: &[S]) -> Result<Vec<Prediction>, InferError> {
        self.predict_texts(&self.model, texts)
    }

    /// [`predict`](Self::predict) with the adapter of this name. The choice is of this call alone:
    /// threads may choose as they like at the same time.
    ///
    /// # Errors
    /// No adapter of this name; a text that the tokenizer refuses.
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

    /// An encoder for [`predict_rows`](Self::predict_rows) and
    /// [`predict_tokens`](Self::predict_tokens): of texts or of pairs, cut at
    /// `max_length` tokens or the model's longest sequence.
    pub fn encoder(&self, max_length: usize, pairs: bool) -> Result<TextEncoder, InferError> {
        let longest = self.model.config().longest_sequence();
        Ok(self.tokenizer.encoder(max_length.min(longest), pairs)?)
    }

    /// Predicts texts or pairs of texts, as [`predict`](Self::predict) does.
    ///
    /// # Errors
    /// A text that the tokenizer refuses.
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

    /// Predicts rows that an [`encoder`](Self::encoder) has made tokens of, at another time or on
    /// another thread; the results are in their order. At most `batch_size` rows are
    /// computed together, of long ones fewer.
    ///
    /// # Errors
    /// Tokens of another model's tokenizer.
    pub fn predict_tokens(
        &self,
        rows: &PackedBatch,
        batch_size: usize,
    ) -> Result<Vec<Prediction>, InferError> {
        self.predict_tokens_until(rows, batch_size, || false)
    }

    /// [`predict_tokens`](Self::predict_tokens), unless `stop` says so, which is asked before each
    /// batch.
    ///
    /// # Errors
    /// [`InferError::Interrupted`]; as `predict_tokens`.
    pub fn predict_tokens_until(
        &self,
        rows: &PackedBatch,
        batch_size: usize,
        stop: impl Fn() -> bool,
    ) -> Result<Vec<Prediction>, InferError> {
        predict(&self.model, rows, batch_size, stop)
    }
}

/// Loads a model whose weights are packed when they are first used, once for all its clones.
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
        let logits: Vec<f32> = logits.into_data().iter::<f32>().collect();
        let of_rows = logits
            .chunks(width)
            .map(|logits| Prediction::new(model.config(), logits));
        predictions.extend(group.into_iter().zip(of_rows));
    }
    predictions.sort_unstable_by_key(|(row, _)| *row);
    Ok(predictions.into_iter().map(|(_, found)| found).collect())
}
