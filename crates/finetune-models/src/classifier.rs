//! The model: an encoder on packed tokens with a classification head.

use burn::{
    Tensor,
    module::{Module, ModuleVisitor, Param},
};
use finetune_kernels::{DropoutSource, Offsets, PackedTokens, Precision, Site};

use crate::{
    ModelConfig, ModelError, Outputs,
    modules::{Embeddings, EncoderLayer, Head, Values, Wanted, first_tokens},
};

/// An encoder with a head that gives one logit per class, or one number.
#[derive(Module, Debug)]
pub struct SequenceClassifier {
    /// Embeddings.
    pub embeddings: Embeddings,
    /// Encoder layers, first to last.
    pub layers: Vec<EncoderLayer>,
    /// Classification head.
    pub head: Head,
    #[module(skip)]
    config: ModelConfig,
}

impl SequenceClassifier {
    pub(crate) fn new(values: &mut dyn Values, config: ModelConfig) -> Result<Self, ModelError> {
        Ok(Self {
            embeddings: Embeddings::new(values, &config)?,
            layers: (0..config.num_hidden_layers)
                .map(|layer| EncoderLayer::new(values, &config, layer))
                .collect::<Result<_, _>>()?,
            head: Head::new(values, &config)?,
            config,
        })
    }

    /// The configuration that the model was built from.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    pub(crate) fn set_config(&mut self, config: ModelConfig) {
        self.config = config;
    }

    /// Says what the outputs mean, of which there are as many as before; thresholds go.
    ///
    /// # Errors
    /// Another number of outputs.
    pub fn name_outputs(&mut self, outputs: Outputs) -> Result<(), ModelError> {
        let number = self.config.outputs.num_labels();
        if outputs.num_labels() != number {
            return Err(ModelError::Input(format!(
                "{} names for a model with {number} outputs",
                outputs.num_labels()
            )));
        }
        self.config = self.config.clone().with_outputs(outputs);
        Ok(())
    }

    /// Sets from which probability on each class of a multi-label model counts as predicted,
    /// `[outputs]`; `None`: a half. Saved in `config.json`.
    pub fn set_label_thresholds(&mut self, thresholds: Option<Vec<f64>>) {
        self.config.label_thresholds = thresholds;
    }

    /// Hidden states of the last layer, `[tokens, hidden]`.
    pub fn encode(
        &self,
        tokens: &PackedTokens,
        dropout: DropoutSource,
    ) -> Result<Tensor<2>, ModelError> {
        self.hidden_states(tokens, self.layers.len(), dropout)
    }

    /// Logits (or the predicted numbers) of each sequence, `[batch, outputs]`.
    pub fn forward(
        &self,
        tokens: &PackedTokens,
        dropout: DropoutSource,
    ) -> Result<Tensor<2>, ModelError> {
        let hidden = self.embed(tokens, dropout)?;
        Ok(self.forward_from(hidden, 0, &tokens.offsets, dropout))
    }

    /// What enters layer `layer`: the embeddings for 0, the encoder's result for the number of
    /// layers. `[tokens, hidden]`.
    pub fn hidden_states(
        &self,
        tokens: &PackedTokens,
        layer: usize,
        dropout: DropoutSource,
    ) -> Result<Tensor<2>, ModelError> {
        let hidden = self.embed(tokens, dropout)?;
        Ok(self.run_layers(hidden, 0..layer, &tokens.offsets, dropout))
    }

    /// The encoder's result for the first token of each sequence, `[batch, hidden]`: cheaper than
    /// [`encode`](Self::encode), of which it is a part.
    pub fn first_hidden_states(
        &self,
        tokens: &PackedTokens,
        dropout: DropoutSource,
    ) -> Result<Tensor<2>, ModelError> {
        let hidden = self.embed(tokens, dropout)?;
        Ok(self.first_from(hidden, 0, &tokens.offsets, dropout))
    }

    /// The rest of [`forward`](Self::forward) on what enters layer `layer`: `[tokens, hidden]` to
    /// `[batch, outputs]`.
    pub fn forward_from(
        &self,
        hidden: Tensor<2>,
        layer: usize,
        offsets: &Offsets,
        dropout: DropoutSource,
    ) -> Tensor<2> {
        let first = self.first_from(hidden, layer, offsets, dropout);
        self.forward_head(first, dropout)
    }

    /// The head alone, on the encoder's result for the first tokens: `[batch, hidden]` to
    /// `[batch, outputs]`.
    pub fn forward_head(&self, first: Tensor<2>, dropout: DropoutSource) -> Tensor<2> {
        let site = Site::head(self.layers.len());
        self.head.forward(first, dropout, site)
    }

    /// Computes the encoder's products in `precision` from now on. The head stays in f32: it is
    /// small, and its results are what one looks at.
    pub fn set_precision(&mut self, precision: Precision) {
        for layer in &mut self.layers {
            layer.set_precision(precision);
        }
    }

    /// Keeps the encoder's frozen weights packed for the processor, in f32 only if `in_f32`; see
    /// [`finetune_peft::Linear::pack_frozen`]. To be called again when the precision or what is
    /// trained changes.
    pub fn pack_frozen(&mut self, in_f32: bool) {
        let layers = self.layers.iter_mut();
        for linear in layers.flat_map(EncoderLayer::linears_mut) {
            linear.pack_frozen(in_f32);
        }
    }

    fn embed(
        &self,
        tokens: &PackedTokens,
        dropout: DropoutSource,
    ) -> Result<Tensor<2>, ModelError> {
        self.check(tokens)?;
        let dropout = dropout.site(Site::EMBEDDINGS, self.config.dropout);
        Ok(self.embeddings.forward(tokens, dropout))
    }

    /// The first tokens' results of the last layer, from what enters layer `layer` on.
    fn first_from(
        &self,
        hidden: Tensor<2>,
        layer: usize,
        offsets: &Offsets,
        dropout: DropoutSource,
    ) -> Tensor<2> {
        let Some(last) = self
            .layers
            .len()
            .checked_sub(1)
            .filter(|&last| layer <= last)
        else {
            return first_tokens(hidden, offsets);
        };
        let hidden = self.run_layers(hidden, layer..last, offsets, dropout);
        self.run_layer(hidden, last, offsets, Wanted::First, dropout)
    }

    fn run_layers(
        &self,
        hidden: Tensor<2>,
        layers: std::ops::Range<usize>,
        offsets: &Offsets,
        dropout: DropoutSource,
    ) -> Tensor<2> {
        layers.fold(hidden, |hidden, number| {
            self.run_layer(hidden, number, offsets, Wanted::All, dropout)
        })
    }

    fn run_layer(
        &self,
        hidden: Tensor<2>,
        number: usize,
        offsets: &Offsets,
        wanted: Wanted,
        dropout: DropoutSource,
    ) -> Tensor<2> {
        self.layers[number].forward(hidden, offsets, wanted, dropout, number)
    }

    /// Refuses a batch that would read outside the embedding tables.
    fn check(&self, tokens: &PackedTokens) -> Result<(), ModelError> {
        let config = &self.config;
        let count = tokens.offsets.num_tokens();
        let lengths = [
            ("ids", &tokens.ids),
            ("positions", &tokens.positions),
            ("type_ids", &tokens.type_ids),
        ];
        for (name, values) in lengths {
            if values.len() != count {
                return Err(ModelError::Input(format!(
                    "the batch has {} {name} for {count} tokens",
                    values.len()
                )));
            }
        }
        if tokens.offsets.batch_size() == 0 || tokens.offsets.ranges().any(|rows| rows.is_empty()) {
            return Err(ModelError::Input(
                "the batch has no sequences, or one without tokens".into(),
            ));
        }
        let limits = [
            ("token id", &tokens.ids, config.vocab_size, "vocab_size"),
            (
                "position",
                &tokens.positions,
                config.max_position_embeddings,
                "max_position_embeddings",
            ),
            (
                "token type",
                &tokens.type_ids,
                config.type_vocab_size,
                "type_vocab_size",
            ),
        ];
        for (what, values, limit, key) in limits {
            if limit == 0 {
                continue; // DistilBERT has no token types and ignores them, as transformers does.
            }
            if let Some(value) = values.iter().find(|&&value| value as usize >= limit) {
                return Err(ModelError::Input(format!(
                    "{what} {value} in the batch, but the model's {key} is {limit}; the tokenizer does not fit the model, or the text is too long"
                )));
            }
        }
        Ok(())
    }

    /// Every float tensor with its path, flattened; without autodiff.
    pub(crate) fn tensors(&self) -> Vec<(String, Tensor<1>)> {
        struct Collector {
            path: Vec<String>,
            tensors: Vec<(String, Tensor<1>)>,
        }
        impl ModuleVisitor for Collector {
            fn enter_module(&mut self, name: &str, _container_type: &str) {
                self.path.push(name.into());
            }
            fn exit_module(&mut self, _name: &str, _container_type: &str) {
                self.path.pop();
            }
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let tensor = param.val().inner();
                let length = tensor.shape().num_elements();
                self.tensors
                    .push((self.path.join("."), tensor.reshape([length])));
            }
        }
        let mut collector = Collector {
            path: Vec::new(),
            tensors: Vec::new(),
        };
        self.visit(&mut collector);
        collector.tensors
    }
}
