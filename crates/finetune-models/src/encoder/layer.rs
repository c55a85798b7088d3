//! A transformer layer of the encoder.

use burn::{Tensor, module::Module};
use finetune_kernels::{
    Activation, AttentionShape, DropoutSource, Offsets, Precision, Site, attention,
    dropout_residual_norm,
};
use finetune_peft::{Linear, Part, PartMut};

use super::{ChosenTokens, LayerNorm};
use crate::{Component, ModelConfig, ModelError, values::Values};

/// Lists the parts of a layer, by shared or by mutable reference.
macro_rules! listed {
    ($layer:ident, $part:ident $(, $mutable:tt)?) => {
        [
            (Component::Query, $part::Linear(&$($mutable)? $layer.query)),
            (Component::Key, $part::Linear(&$($mutable)? $layer.key)),
            (Component::Value, $part::Linear(&$($mutable)? $layer.value)),
            (Component::Output, $part::Linear(&$($mutable)? $layer.output)),
            (
                Component::AttentionNorm,
                $part::NormShift(&$($mutable)? $layer.attention_norm.beta),
            ),
            (Component::Up, $part::Linear(&$($mutable)? $layer.up)),
            (Component::Down, $part::Linear(&$($mutable)? $layer.down)),
            (
                Component::OutputNorm,
                $part::NormShift(&$($mutable)? $layer.output_norm.beta),
            ),
        ]
    };
}

/// A post-norm encoder layer: attention, then a feed-forward block, each followed by a residual
/// connection and a layer norm.
#[derive(Module, Debug)]
pub struct EncoderLayer {
    /// Query projection.
    pub query: Linear,
    /// Key projection.
    pub key: Linear,
    /// Value projection.
    pub value: Linear,
    /// Output projection of the attention.
    pub output: Linear,
    /// Layer norm after the attention.
    pub attention_norm: LayerNorm,
    /// First linear layer of the feed-forward block, `hidden` to `intermediate_size`.
    pub up: Linear,
    /// Second linear layer of the feed-forward block, back to `hidden`.
    pub down: Linear,
    /// Layer norm after the feed-forward block.
    pub output_norm: LayerNorm,
    #[module(skip)]
    shape: LayerShape,
    /// Index in the encoder, which selects the layer's dropout sites.
    #[module(skip)]
    number: usize,
}

/// The settings of a layer.
#[derive(Clone, Copy, Debug)]
struct LayerShape {
    heads: usize,
    activation: Activation,
    dropout: f64,
    attention_dropout: f64,
    attention_output_dropout: f64,
    precision: Precision,
}

impl EncoderLayer {
    pub(crate) fn new(
        values: &mut Values<'_>,
        config: &ModelConfig,
        layer: usize,
    ) -> Result<Self, ModelError> {
        let epsilon = config.norm_epsilon;
        Ok(Self {
            query: values.linear(Component::Query, layer)?,
            key: values.linear(Component::Key, layer)?,
            value: values.linear(Component::Value, layer)?,
            output: values.linear(Component::Output, layer)?,
            attention_norm: LayerNorm::new(values, Component::AttentionNorm, layer, epsilon)?,
            up: values.linear(Component::Up, layer)?,
            down: values.linear(Component::Down, layer)?,
            output_norm: LayerNorm::new(values, Component::OutputNorm, layer, epsilon)?,
            shape: LayerShape {
                heads: config.num_attention_heads,
                activation: config.activation,
                dropout: config.dropout,
                attention_dropout: config.attention_dropout,
                attention_output_dropout: match config.family.attention_output_dropout {
                    true => config.dropout,
                    false => 0.0,
                },
                precision: Precision::F32,
            },
            number: layer,
        })
    }

    /// Maps `[tokens, hidden]` to the hidden states of the `wanted` tokens.
    pub(crate) fn forward(
        &self,
        hidden: Tensor<2>,
        offsets: &Offsets,
        wanted: Wanted<'_>,
        source: DropoutSource,
    ) -> Tensor<2> {
        let shape = &self.shape;
        let identity = Activation::Identity;
        let (key, value) = (
            self.key.forward(hidden.clone(), identity, source),
            self.value.forward(hidden.clone(), identity, source),
        );
        let (hidden, attention_shape) = match wanted {
            Wanted::All => (
                hidden,
                AttentionShape::of_all(offsets, shape.heads, shape.precision),
            ),
            Wanted::Some(chosen) => (
                chosen.select(hidden),
                AttentionShape::of_some(chosen.offsets(), offsets, shape.heads, shape.precision),
            ),
        };
        let context = attention(
            self.query.forward(hidden.clone(), identity, source),
            key,
            value,
            attention_shape,
            source.site(Site::attention(self.number), shape.attention_dropout),
        );
        let attended = dropout_residual_norm(
            self.output.forward(context, identity, source),
            hidden,
            self.attention_norm.val(),
            source.site(
                Site::attention_output(self.number),
                shape.attention_output_dropout,
            ),
        );
        let inner = self.up.forward(attended.clone(), shape.activation, source);
        dropout_residual_norm(
            self.down.forward(inner, identity, source),
            attended,
            self.output_norm.val(),
            source.site(Site::layer_output(self.number), shape.dropout),
        )
    }

    pub(crate) fn set_precision(&mut self, precision: Precision) {
        self.shape.precision = precision;
        for (_, part) in self.parts_mut() {
            if let PartMut::Linear(linear) = part {
                linear.set_precision(precision);
            }
        }
    }

    /// Lists the linear layers and norms in the order of the families' tables.
    pub(crate) fn parts(&self) -> [(Component, Part<'_>); 8] {
        listed!(self, Part)
    }

    /// Lists the same parts in the same order, borrowed mutably.
    pub(crate) fn parts_mut(&mut self) -> [(Component, PartMut<'_>); 8] {
        listed!(self, PartMut, mut)
    }
}

/// The tokens for which a layer computes hidden states. A head reads only some of them, such as the
/// first token of each sequence, so the last layer computes everything but keys and values for those
/// alone. With six layers and the first tokens this saves a seventh of the work.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted<'a> {
    /// All tokens, `[tokens, hidden]`.
    All,
    /// Some tokens, `[chosen, hidden]`.
    Some(&'a ChosenTokens),
}
