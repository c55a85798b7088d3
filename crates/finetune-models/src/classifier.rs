//! The model: an encoder on packed tokens with a classification head.

use std::sync::Arc;

use burn::{Tensor, module::Module, tensor::Device};
use finetune_kernels::{DropoutSource, Offsets, PackedTokens, Precision};

use crate::{
    Described, Encoder, Head, HiddenStates, ModelConfig, ModelError, ParameterTable, Task,
    values::Values, walk::stored_path,
};

/// An encoder with a head that gives one logit per class, or one number.
#[derive(Module, Debug)]
pub struct SequenceClassifier {
    /// Embeddings and layers.
    pub encoder: Encoder,
    /// Classification head.
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
        let mut unknown = None;
        finetune_peft::visit_parameters(&model, &mut |parameter| {
            let path = stored_path(parameter.path);
            if model.parameters.identify(path).is_none() {
                unknown.get_or_insert_with(|| path.to_string());
            }
        });
        match unknown {
            None => Ok(model),
            Some(path) => Err(ModelError::NotDescribed {
                model_type: model.config.family.model_type,
                path,
            }),
        }
    }

    /// The configuration that the model was built from.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    pub(crate) fn set_config(&mut self, config: ModelConfig) {
        self.config = config;
    }

    /// The device that the model is on.
    pub fn device(&self) -> Device {
        self.encoder.embeddings.word.val().device()
    }

    /// Says what the outputs mean, of which there are as many as before; thresholds are dropped.
    ///
    /// # Errors
    /// Another number of outputs.
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

    /// Sets from which probability on each class of a multi-label model counts as predicted,
    /// `[outputs]`; `None`: a half. The thresholds are saved in `config.json`.
    pub fn set_label_thresholds(&mut self, thresholds: Option<Vec<f64>>) {
        self.config.label_thresholds = thresholds;
    }

    /// Logits (or the predicted numbers) of each sequence, `[batch, outputs]`.
    ///
    /// # Errors
    /// The errors of [`Encoder::embed`].
    pub fn forward(
        &self,
        tokens: &PackedTokens,
        dropout: DropoutSource,
    ) -> Result<Tensor<2>, ModelError> {
        let hidden = self.encoder.embed(tokens, dropout)?;
        Ok(self.forward_from(hidden, &tokens.offsets, dropout))
    }

    /// The rest of [`forward`](Self::forward) from hidden states on: `[batch, outputs]`.
    pub fn forward_from(
        &self,
        hidden: HiddenStates,
        offsets: &Offsets,
        dropout: DropoutSource,
    ) -> Tensor<2> {
        let first = self.encoder.first(hidden, offsets, dropout);
        self.head.forward(first, dropout)
    }

    /// Computes the encoder's matrix products in `precision` from now on. The head stays in f32: it is
    /// small, and its results are what one looks at.
    pub fn set_precision(&mut self, precision: Precision) {
        self.encoder.set_precision(precision);
    }

    /// Keeps the encoder's frozen weights packed for the processor, in f32 only if `in_f32`; see
    /// [`finetune_peft::Linear::pack_frozen`]. This has to be called again when the precision or what
    /// is trained changes.
    pub fn pack_frozen(&mut self, in_f32: bool) {
        self.encoder.pack_frozen(in_f32);
    }
}

impl Described for SequenceClassifier {
    fn parameter_table(&self) -> Arc<ParameterTable> {
        Arc::clone(&self.parameters)
    }
}
