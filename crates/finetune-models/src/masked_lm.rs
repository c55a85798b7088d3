//! Masked language models: an encoder with a head that predicts the tokens that were masked.

use std::{path::Path, sync::Arc};

use burn::{Tensor, module::Module, tensor::Device};
use finetune_kernels::{DropoutSource, Indices, MaskedTokens, Offsets, PackedTokens, Precision};

use crate::{
    ChosenTokens, Described, Encoder, HiddenStates, LoadReport, MaskedLmHead, ModelConfig,
    ModelError, Parameter, ParameterTable, SavedModel, files::load::load_values, fresh::all_values,
    parameters::masked_lm_parameters, values::Values,
};

/// An encoder with a head that computes a logit per word of the vocabulary for any of its tokens. The
/// decoder's weight is the word table, which therefore has a dense gradient.
#[derive(Module, Debug)]
pub struct MaskedLm {
    /// The embeddings and layers.
    pub encoder: Encoder,
    /// The head.
    pub head: MaskedLmHead,
    #[module(skip)]
    config: ModelConfig,
    #[module(skip)]
    parameters: Arc<ParameterTable>,
}

impl MaskedLm {
    /// Loads a directory with `config.json` and weights as transformers writes them; see
    /// [`SequenceClassifier::load`](crate::SequenceClassifier::load). Without a head for masked tokens in
    /// the file, that head is drawn with `seed` and reported.
    ///
    /// # Errors
    /// Fails if files are missing or damaged, if weights do not fit `config.json`, if an encoder weight
    /// is missing, if a weight is not finite, or if the decoder's weight is not the word table.
    pub fn load(
        directory: &Path,
        seed: u64,
        device: &Device,
    ) -> Result<(Self, LoadReport), ModelError> {
        let config = ModelConfig::from_directory(directory)?;
        Self::load_with(config, directory, seed, device)
    }

    /// [`load`](Self::load) of a directory whose `config` was read already.
    ///
    /// # Errors
    /// As `load`.
    pub fn load_with(
        config: ModelConfig,
        directory: &Path,
        seed: u64,
        device: &Device,
    ) -> Result<(Self, LoadReport), ModelError> {
        let parameters = masked_lm_parameters(&config);
        let same = config.family.masked_lm.same;
        let (by_path, report) = load_values(directory, &config, parameters, same, seed)?;
        Ok((Self::new(&mut Values { by_path, device }, config)?, report))
    }

    /// Creates a model whose weights are all drawn with `seed`.
    ///
    /// # Errors
    /// Fails if the family's table is incomplete.
    pub fn fresh(config: ModelConfig, seed: u64, device: &Device) -> Result<Self, ModelError> {
        let parameters = masked_lm_parameters(&config);
        let by_path = all_values(parameters, seed, config.initializer_range);
        Self::new(&mut Values { by_path, device }, config)
    }

    fn new(values: &mut Values<'_>, config: ModelConfig) -> Result<Self, ModelError> {
        let model = Self {
            encoder: Encoder::new(values, &config)?,
            head: MaskedLmHead::new(values, &config)?,
            parameters: Arc::new(ParameterTable::of_masked_lm(&config)),
            config,
        };
        model.check_described(model.config.family.model_type)?;
        Ok(model)
    }

    /// Returns the model's configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Returns the device that holds the model.
    pub fn device(&self) -> Device {
        self.encoder.embeddings.word.val().device()
    }

    /// Computes the cross-entropy of the masked tokens' logits with the ids that stood there, summed and
    /// divided by `denominator` (the number of masked tokens in the whole optimizer step), `[1]`.
    ///
    /// The last layer and the head are computed for masked tokens only, and no more than a part of their
    /// logits is in memory at a time.
    ///
    /// # Errors
    /// Fails under the same conditions as [`Encoder::embed`], and if the masked tokens do not fit the
    /// batch.
    pub fn loss(
        &self,
        tokens: &PackedTokens,
        masked: &MaskedTokens,
        denominator: f64,
        dropout: DropoutSource,
    ) -> Result<Tensor<1>, ModelError> {
        let hidden = self.embed(tokens, dropout)?;
        self.loss_from(hidden, &tokens.offsets, masked, denominator, dropout)
    }

    /// Continues [`loss`](Self::loss) from hidden states.
    ///
    /// # Errors
    /// Fails if the masked tokens do not fit the batch.
    pub fn loss_from(
        &self,
        hidden: HiddenStates,
        offsets: &Offsets,
        masked: &MaskedTokens,
        denominator: f64,
        dropout: DropoutSource,
    ) -> Result<Tensor<1>, ModelError> {
        self.check(masked)?;
        let chosen = ChosenTokens::new(&masked.places, offsets)?;
        let states = self.encoder.chosen(hidden, &chosen, offsets, dropout);
        let table = self.encoder.embeddings.word.val();
        Ok(self
            .head
            .loss(states, table, &masked.ids, denominator, dropout))
    }

    /// Computes the logits of some tokens, `[places, vocab_size]`. `places` are their indices among all
    /// tokens of the batch, ascending.
    ///
    /// # Errors
    /// Fails under the same conditions as [`loss`](Self::loss).
    pub fn logits(&self, tokens: &PackedTokens, places: &Indices) -> Result<Tensor<2>, ModelError> {
        let hidden = self.embed(tokens, DropoutSource::OFF)?;
        let chosen = ChosenTokens::new(places, &tokens.offsets)?;
        let offsets = &tokens.offsets;
        let states = self
            .encoder
            .chosen(hidden, &chosen, offsets, DropoutSource::OFF);
        let table = self.encoder.embeddings.word.val();
        Ok(self.head.logits(states, table))
    }

    /// Embeds tokens. The table's gradient has all rows, since the decoder's has.
    fn embed(
        &self,
        tokens: &PackedTokens,
        dropout: DropoutSource,
    ) -> Result<HiddenStates, ModelError> {
        let tokens = PackedTokens {
            used_rows: None,
            ..tokens.clone()
        };
        self.encoder.embed(&tokens, dropout)
    }

    fn check(&self, masked: &MaskedTokens) -> Result<(), ModelError> {
        if masked.ids.len() != masked.places.len() {
            return Err(ModelError::MaskedLength {
                places: masked.places.len(),
                ids: masked.ids.len(),
            });
        }
        if masked.ids.is_empty() {
            return Err(ModelError::NothingMasked);
        }
        let limit = self.config.vocab_size;
        match masked.ids.iter().find(|&&id| id as usize >= limit) {
            None => Ok(()),
            Some(&value) => Err(ModelError::OutOfRange {
                what: "masked token id",
                value,
                key: "vocab_size",
                limit,
            }),
        }
    }

    /// Sets the precision of the matrix multiplications, the decoder's among them.
    pub fn set_precision(&mut self, precision: Precision) {
        self.encoder.set_precision(precision);
        self.head.set_precision(precision);
    }

    /// Caches frozen weights in the processor's packed layout; see
    /// [`SequenceClassifier::pack_frozen`](crate::SequenceClassifier::pack_frozen).
    pub fn pack_frozen(&mut self, in_f32: bool) {
        self.encoder.pack_frozen(in_f32);
        self.head.dense.pack_frozen(in_f32);
    }
}

impl Described for MaskedLm {
    fn parameter_table(&self) -> Arc<ParameterTable> {
        Arc::clone(&self.parameters)
    }
}

impl SavedModel for MaskedLm {
    fn parameters(&self) -> Vec<Parameter> {
        masked_lm_parameters(&self.config)
    }

    fn config_json(&self) -> String {
        self.config.to_masked_lm_json()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use finetune_peft::{NamedTensor, write_tensors};
    use serde_json::json;

    use super::*;
    use crate::{
        Family, Place, Role, SequenceClassifier, WEIGHTS,
        family::{BERT, DISTILBERT, ELECTRA, FAMILIES, ROBERTA},
        testing::{self, config, config_with, tokens},
        visit_parameters,
    };

    const OFF: DropoutSource = DropoutSource::OFF;

    fn fresh(family: &Family) -> MaskedLm {
        MaskedLm::fresh(config(family), 3, &Device::flex()).unwrap()
    }

    fn tensors(model: &MaskedLm) -> Vec<(String, Vec<f32>)> {
        let tensors = model.file_tensors().into_iter();
        tensors.map(|t| (t.name.clone(), t.values())).collect()
    }

    fn masked(places: &[u32], ids: &[u32]) -> MaskedTokens {
        MaskedTokens {
            places: places.into(),
            ids: ids.into(),
        }
    }

    /// Writes a model directory whose tensors `change` has altered.
    fn write(model: &MaskedLm, change: impl FnOnce(&mut Vec<NamedTensor>)) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("config.json"), model.config_json()).unwrap();
        let mut tensors = model.file_tensors();
        change(&mut tensors);
        write_tensors(&directory.path().join(WEIGHTS), tensors).unwrap();
        directory
    }

    fn load(directory: &Path) -> Result<(MaskedLm, LoadReport), ModelError> {
        MaskedLm::load(directory, 5, &Device::flex())
    }

    #[test]
    fn the_description_is_that_of_the_modules() {
        for family in FAMILIES {
            let model = fresh(family);
            let mut found = Vec::new();
            visit_parameters(&model, &mut |id, visited| {
                found.push((id.path.clone(), visited.shape(), id.place, id.role));
            });
            let described = masked_lm_parameters(model.config()).into_iter();
            let described: Vec<_> = described
                .map(|p| (p.path.clone(), p.model_shape(), p.place, p.role))
                .collect();
            assert_eq!(found, described, "{}", family.model_type);
        }
    }

    #[test]
    fn heads_have_the_width_of_the_embeddings() {
        let all = masked_lm_parameters(&config(&ELECTRA));
        let head: Vec<_> = all.iter().filter(|p| p.place.is_head()).collect();
        let names: Vec<_> = head.iter().map(|p| (&p.name[..], &p.shape[..])).collect();
        let expected: [(&str, &[usize]); 5] = [
            ("generator_predictions.dense.weight", &[8, 12]),
            ("generator_predictions.dense.bias", &[8]),
            ("generator_predictions.LayerNorm.weight", &[8]),
            ("generator_predictions.LayerNorm.bias", &[8]),
            ("generator_lm_head.bias", &[23]),
        ];
        assert_eq!(names, expected);
        assert_eq!(
            (head[4].place, head[4].role),
            (Place::Classifier, Role::Bias)
        );
    }

    #[test]
    fn saved_models_come_back() {
        for family in FAMILIES {
            let model = fresh(family);
            let parent = tempfile::tempdir().unwrap();
            let directory = parent.path().join("model");
            model.save(&directory, parent.path()).unwrap();
            let (again, report) = load(&directory).unwrap();
            assert_eq!(tensors(&again), tensors(&model), "{}", family.model_type);
            assert!(report.fresh.is_empty() && report.unexpected.is_empty());
            let text = fs::read_to_string(directory.join("config.json")).unwrap();
            assert!(text.contains(family.masked_lm.architecture), "{text}");
            for key in ["id2label", "problem_type", "num_labels"] {
                assert!(!text.contains(key), "{text}");
            }
        }
    }

    /// Files of transformers before version 5, and those of other programs.
    #[test]
    fn decoders_are_the_word_table_under_any_name() {
        for family in FAMILIES {
            let model = fresh(family);
            let copied = |tensors: &mut Vec<NamedTensor>, factor: f32| {
                for (other, name) in family.masked_lm.same {
                    let own = tensors.iter().find(|t| t.name == *name).unwrap().clone();
                    tensors.push(NamedTensor {
                        name: other.to_string(),
                        tensor: own.tensor.clone() * factor + (factor - 1.0),
                        ..own
                    });
                }
            };
            let (again, report) = load(write(&model, |all| copied(all, 1.0)).path()).unwrap();
            assert_eq!(tensors(&again), tensors(&model));
            assert!(report.unexpected.is_empty(), "{:?}", report.unexpected);
            if family.masked_lm.same.is_empty() {
                continue;
            }
            match load(write(&model, |all| copied(all, 2.0)).path()) {
                Err(ModelError::NotTied { first, second, .. }) => {
                    let same = family.masked_lm.same.iter();
                    assert!(
                        same.into_iter()
                            .any(|pair| *pair == (&second[..], &first[..]))
                    );
                }
                other => panic!("{:?}", other.map(|_| ())),
            }
            // Only the other names.
            let renamed = write(&model, |tensors| {
                copied(tensors, 1.0);
                let own = |name: &str| family.masked_lm.same.iter().any(|(_, own)| *own == name);
                tensors.retain(|t| !own(&t.name));
            });
            let (again, report) = load(renamed.path()).unwrap();
            assert_eq!(tensors(&again), tensors(&model), "{}", family.model_type);
            assert!(report.fresh.is_empty());
        }
    }

    #[test]
    fn heads_that_are_missing_are_drawn_and_reported() {
        for family in FAMILIES {
            let classifier = testing::model(config(family));
            let directory = tempfile::tempdir().unwrap();
            let saved = directory.path().join("classifier");
            classifier.save(&saved, directory.path()).unwrap();
            let (model, report) = load(&saved).unwrap();
            assert_eq!(report.fresh.len(), 5, "{:?}", report.fresh);
            let head = &model.head;
            let values = |tensor: Tensor<1>| -> Vec<f32> { tensor.into_data().iter().collect() };
            assert_eq!(values(head.bias.val()), [0.0; 23]);
            assert!(values(head.norm.gamma.val()).iter().all(|x| *x == 1.0));
            assert!(values(head.norm.beta.val()).iter().all(|x| *x == 0.0));
            let weights: Vec<f32> = head.dense.weight.val().into_data().iter().collect();
            assert!(weights.iter().any(|x| *x != 0.0));
            let again = load(&saved).unwrap().0;
            assert_eq!(tensors(&again), tensors(&model));

            // And the other way round.
            let masked = write(&model, |_| ());
            let device = Device::flex();
            let (_, report) = SequenceClassifier::load(masked.path(), None, 5, &device).unwrap();
            assert!(report.fresh_classifier && report.unexpected.is_empty());
        }
    }

    #[test]
    fn the_seed_decides_every_weight() {
        let draw = |seed| MaskedLm::fresh(config(&BERT), seed, &Device::flex()).unwrap();
        assert_eq!(tensors(&draw(1)), tensors(&draw(1)));
        assert_ne!(tensors(&draw(1)), tensors(&draw(2)));
    }

    /// The loss is that of the logits, for any tokens and divided by any number.
    #[test]
    fn the_loss_is_the_mean_of_what_the_logits_say() {
        for family in FAMILIES {
            let model = fresh(family);
            let masked = masked(&[1, 2, 5, 9], &[22, 0, 7, 7]);
            let logits = model.logits(&tokens(), &masked.places).unwrap();
            assert_eq!(logits.dims(), [4, 23]);
            let all: Vec<f32> = logits.into_data().iter().collect();
            let rows = all.chunks(23).zip(masked.ids.iter());
            let losses = rows.map(|(row, &id)| {
                let sum: f64 = row.iter().map(|x| f64::from(*x).exp()).sum();
                sum.ln() - f64::from(row[id as usize])
            });
            let expected = losses.sum::<f64>() / 8.0;
            let loss = model.loss(&tokens(), &masked, 8.0, OFF).unwrap();
            let found = f64::from(loss.into_scalar::<f32>());
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }

    /// The decoder's part of the table's gradient reaches every row.
    #[test]
    fn the_tables_gradient_is_dense() {
        let model = fresh(&DISTILBERT).train();
        let masked = masked(&[1, 6], &[20, 21]);
        let packed = tokens().with_used_rows();
        let loss = model.loss(&packed, &masked, 2.0, OFF).unwrap();
        let table = model.encoder.embeddings.word.val();
        let gradient = table.grad(&loss.backward()).unwrap();
        assert_eq!(gradient.dims(), [23, 12]);
        let all: Vec<f32> = gradient.into_data().iter().collect();
        assert!(all.chunks(12).all(|row| row.iter().any(|x| *x != 0.0)));
    }

    #[test]
    fn masked_tokens_that_do_not_fit_are_refused() {
        let model = fresh(&ROBERTA);
        for (places, ids, words) in [
            (vec![1, 2], vec![3], "1 ids for 2 masked tokens"),
            (vec![], vec![], "no token of the batch is masked"),
            (vec![2, 1], vec![3, 3], "ascending numbers below 11"),
            (vec![11], vec![3], "ascending numbers below 11"),
            (vec![1], vec![23], "masked token id 23"),
        ] {
            let masked = masked(&places, &ids);
            let error = model.loss(&tokens(), &masked, 1.0, OFF).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn a_masked_models_decoder_stays_tied_where_the_file_said_otherwise() {
        let config = config_with(&BERT, json!({ "tie_word_embeddings": false }));
        let model = MaskedLm::fresh(config, 3, &Device::flex()).unwrap();
        assert!(!model.config_json().contains("tie_word_embeddings"));
    }
}
