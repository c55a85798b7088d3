//! The model: an encoder for packed tokens with a classification head.

use std::sync::Arc;

use burn::{Tensor, module::Module, tensor::Device};
use finetune_kernels::{DropoutSource, Offsets, PackedTokens, Precision};

use crate::{
    Described, Encoder, Head, HiddenStates, Inner, ModelConfig, ModelError, Parameter,
    ParameterTable, SavedModel, Task, parameters, values::Values,
};

/// An encoder with a head that computes one logit per class, or the predicted values of a regression.
#[derive(Module, Debug)]
pub struct SequenceClassifier {
    /// The embeddings and layers.
    pub encoder: Encoder,
    /// The classification head.
    pub head: Head,
    #[module(skip)]
    config: ModelConfig,
    #[module(skip)]
    parameters: Arc<ParameterTable>,
}

impl SequenceClassifier {
    pub(crate) fn new(values: &mut Values<'_>, config: ModelConfig) -> Result<Self, ModelError> {
        let model = Self {
            encoder: Encoder::new(values, &config)?,
            head: Head::new(values, &config)?,
            parameters: Arc::new(ParameterTable::new(&config)),
            config,
        };
        model.check_described(model.config.family.model_type)?;
        Ok(model)
    }

    /// Returns the model's configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    pub(crate) fn set_config(&mut self, config: ModelConfig) {
        self.config = config;
    }

    /// Returns the device that holds the model.
    pub fn device(&self) -> Device {
        self.encoder.embeddings.word.val().device()
    }

    /// Renames the outputs, or gives them another problem type, without touching any weights. Label
    /// thresholds are dropped.
    ///
    /// # Errors
    /// Fails if the number of outputs differs from the model's.
    pub fn name_outputs(&mut self, outputs: Task) -> Result<(), ModelError> {
        let number = self.config.outputs.num_labels();
        if outputs.num_labels() != number {
            return Err(ModelError::NameCount {
                names: outputs.num_labels(),
                outputs: number,
            });
        }
        self.config = self.config.clone().with_outputs(outputs);
        Ok(())
    }

    /// Sets the probability from which each class of a multi-label model counts as predicted,
    /// `[outputs]`; `None` means 0.5 for all. The thresholds are saved in `config.json`.
    pub fn set_label_thresholds(&mut self, thresholds: Option<Vec<f64>>) {
        self.config.label_thresholds = thresholds;
    }

    /// Computes the logits (or the predicted values) of each sequence, `[batch, outputs]`.
    ///
    /// # Errors
    /// Fails under the same conditions as [`Encoder::embed`].
    pub fn forward(
        &self,
        tokens: &PackedTokens,
        dropout: DropoutSource,
    ) -> Result<Tensor<2>, ModelError> {
        let hidden = self.encoder.embed(tokens, dropout)?;
        Ok(self.forward_from(hidden, &tokens.offsets, dropout))
    }

    /// Continues [`forward`](Self::forward) from hidden states, giving `[batch, outputs]`.
    pub fn forward_from(
        &self,
        hidden: HiddenStates,
        offsets: &Offsets,
        dropout: DropoutSource,
    ) -> Tensor<2> {
        let pooled = self.encoder.pooled(hidden, offsets, dropout);
        self.head.forward(pooled, dropout)
    }

    /// Continues from hidden states like [`forward_from`](Self::forward_from), and returns what else is
    /// `wanted` of the encoder beside the logits, for another model to imitate. Hidden states of a later layer
    /// than the last one's input have no attention left to compute.
    pub fn forward_with(
        &self,
        hidden: HiddenStates,
        wanted: Inner<bool, bool>,
        offsets: &Offsets,
        dropout: DropoutSource,
    ) -> (Tensor<2>, Inner<Option<Tensor<2>>, Option<[Tensor<2>; 2]>>) {
        let (hidden, inner) = self.encoder.inner(hidden, wanted, offsets, dropout);
        (self.forward_from(hidden, offsets, dropout), inner)
    }

    /// Returns a model of some of the encoder's layers, in this order, with embeddings and head unchanged.
    ///
    /// # Errors
    /// Fails if there are none, or if the encoder lacks one.
    pub fn with_layers(mut self, layers: &[usize]) -> Result<Self, ModelError> {
        let own = &self.encoder.layers;
        if layers.is_empty() || layers.iter().any(|&layer| layer >= own.len()) {
            return Err(ModelError::Layers {
                chosen: layers.to_vec(),
                layers: own.len(),
            });
        }
        let chosen = layers.iter().enumerate();
        let chosen = chosen.map(|(number, &layer)| own[layer].clone().numbered(number));
        self.encoder.layers = chosen.collect();
        self.config = self.config.with_layers(layers.len());
        self.parameters = Arc::new(ParameterTable::new(&self.config));
        self.check_described(self.config.family.model_type)?;
        Ok(self)
    }

    /// Sets the precision of the encoder's matrix multiplications. The head stays in f32: it is small,
    /// and its rounding errors would go straight into the logits.
    pub fn set_precision(&mut self, precision: Precision) {
        self.encoder.set_precision(precision);
    }

    /// Caches the encoder's frozen weights in the processor's packed layout, in f32 only if `in_f32`;
    /// see [`finetune_peft::Linear::pack_frozen`]. Call this again whenever the precision or the set of
    /// trained parameters changes.
    pub fn pack_frozen(&mut self, in_f32: bool) {
        self.encoder.pack_frozen(in_f32);
    }
}

impl Described for SequenceClassifier {
    fn parameter_table(&self) -> Arc<ParameterTable> {
        Arc::clone(&self.parameters)
    }
}

impl SavedModel for SequenceClassifier {
    fn parameters(&self) -> Vec<Parameter> {
        parameters(&self.config)
    }

    fn config_json(&self) -> String {
        self.config.to_json()
    }
}
