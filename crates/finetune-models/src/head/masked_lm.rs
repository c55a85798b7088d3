//! The head of masked language models.

use burn::{
    Tensor,
    module::{Module, Param},
};
use finetune_kernels::{
    Activation, DropoutSource, Indices, Precision, layer_norm, matmul, vocabulary_cross_entropy,
};
use finetune_peft::Linear;

use crate::{Component, LayerNorm, ModelConfig, ModelError, Role, values::Values};

/// The head of a masked language model: a dense layer, an activation and a layer norm, then the decoder,
/// whose weight is the word table itself.
#[derive(Module, Debug)]
pub struct MaskedLmHead {
    /// Dense layer, `hidden` to `embedding`.
    pub dense: Linear,
    /// Layer norm of its output.
    pub norm: LayerNorm,
    /// Bias of the decoder, `[vocab_size]`.
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    precision: Precision,
}

impl MaskedLmHead {
    pub(crate) fn new(values: &mut Values<'_>, config: &ModelConfig) -> Result<Self, ModelError> {
        let own = config.family.masked_lm.activation;
        Ok(Self {
            dense: values.linear(Component::MaskedDense, 0)?,
            norm: LayerNorm::new(values, Component::MaskedNorm, 0, config.norm_epsilon)?,
            bias: values.parameter(Component::DecoderBias, 0, Role::Bias)?,
            activation: own.unwrap_or(config.activation),
            precision: Precision::F32,
        })
    }

    /// Computes the cross-entropy of the masked tokens, summed and divided by `denominator`, `[1]`, from
    /// their hidden states, `[masked, hidden]`, the word table, `[vocab_size, embedding]`, and the ids
    /// that stood there, `[masked]`.
    pub(crate) fn loss(
        &self,
        states: Tensor<2>,
        table: Tensor<2>,
        ids: &Indices,
        denominator: f64,
        source: DropoutSource,
    ) -> Tensor<1> {
        let x = self.transformed(states, source);
        let bias = self.bias.val();
        vocabulary_cross_entropy(x, table, bias, ids, denominator, self.precision)
    }

    /// Computes the logits of tokens, `[tokens, vocab_size]`, from their hidden states, `[tokens, hidden]`.
    pub(crate) fn logits(&self, states: Tensor<2>, table: Tensor<2>) -> Tensor<2> {
        let x = self.transformed(states, DropoutSource::OFF);
        matmul(x, table.transpose(), self.precision) + self.bias.val().unsqueeze()
    }

    /// Computes what the decoder multiplies by the word table, `[tokens, embedding]`.
    fn transformed(&self, states: Tensor<2>, source: DropoutSource) -> Tensor<2> {
        let x = self.dense.forward(states, self.activation, source);
        layer_norm(x, self.norm.val())
    }

    /// Sets the precision of the matrix multiplications.
    pub(crate) fn set_precision(&mut self, precision: Precision) {
        self.dense.set_precision(precision);
        self.precision = precision;
    }
}
