//! A transformer layer of the encoder.

use burn::{Tensor, module::Module};
use finetune_kernels::{
    Activation, AttentionShape, Dropout, DropoutSource, Offsets, Precision, Site, attention,
    dropout, dropout_residual, dropout_residual_norm, layer_norm,
};
use finetune_peft::{Linear, Part, PartMut};

use super::{ChosenTokens, LayerNorm};
use crate::{Component, ModelConfig, ModelError, family::NormPlacement, values::Values};

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

/// An encoder layer: attention, then a feed-forward block, each with a residual connection around it and
/// a layer norm after that (or, in pre-norm encoders, before the block).
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
    /// Layer norm after or before the attention.
    pub attention_norm: LayerNorm,
    /// First linear layer of the feed-forward block, `hidden` to `intermediate_size`.
    pub up: Linear,
    /// Second linear layer of the feed-forward block, back to `hidden`.
    pub down: Linear,
    /// Layer norm after or before the feed-forward block.
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
    feed_forward_dropout: f64,
    norm: NormPlacement,
    precision: Precision,
}

impl EncoderLayer {
    pub(crate) fn new(
        values: &mut Values<'_>,
        config: &ModelConfig,
        layer: usize,
    ) -> Result<Self, ModelError> {
        let (epsilon, structure) = (config.norm_epsilon, &config.structure);
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
                attention_output_dropout: match structure.attention_output_dropout {
                    true => config.dropout,
                    false => 0.0,
                },
                feed_forward_dropout: structure.feed_forward_dropout,
                norm: structure.norm,
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
        let input = self.before_block(hidden.clone(), &self.attention_norm);
        let identity = Activation::Identity;
        let (key, value) = (
            self.key.forward(input.clone(), identity, source),
            self.value.forward(input.clone(), identity, source),
        );
        let (input, attention_shape) = match wanted {
            Wanted::All => (
                input,
                AttentionShape::of_all(offsets, shape.heads, shape.precision),
            ),
            Wanted::Some(chosen) => (
                chosen.select(input),
                AttentionShape::of_some(chosen.offsets(), offsets, shape.heads, shape.precision),
            ),
        };
        // Without a norm in between, the two are the same rows, which are selected once.
        let residual = match (shape.norm, wanted) {
            (NormPlacement::Post, _) => input.clone(),
            (NormPlacement::Pre, Wanted::All) => hidden,
            (NormPlacement::Pre, Wanted::Some(chosen)) => chosen.select(hidden),
        };
        let context = attention(
            self.query.forward(input, identity, source),
            key,
            value,
            attention_shape,
            source.site(Site::attention(self.number), shape.attention_dropout),
        );
        let attended = self.after_block(
            self.output.forward(context, identity, source),
            residual,
            &self.attention_norm,
            source.site(
                Site::attention_output(self.number),
                shape.attention_output_dropout,
            ),
        );
        let input = self.before_block(attended.clone(), &self.output_norm);
        let inner = self.up.forward(input, shape.activation, source);
        let inner = dropout(
            inner,
            source.site(Site::feed_forward(self.number), shape.feed_forward_dropout),
        );
        self.after_block(
            self.down.forward(inner, identity, source),
            attended,
            &self.output_norm,
            source.site(Site::layer_output(self.number), shape.dropout),
        )
    }

    /// Computes the input of a block whose norm is `norm`.
    fn before_block(&self, hidden: Tensor<2>, norm: &LayerNorm) -> Tensor<2> {
        match self.shape.norm {
            NormPlacement::Post => hidden,
            NormPlacement::Pre => layer_norm(hidden, norm.val()),
        }
    }

    /// Adds the result of a block to its residual.
    fn after_block(
        &self,
        x: Tensor<2>,
        residual: Tensor<2>,
        norm: &LayerNorm,
        dropout: Dropout,
    ) -> Tensor<2> {
        match self.shape.norm {
            NormPlacement::Post => dropout_residual_norm(x, residual, norm.val(), dropout),
            NormPlacement::Pre => dropout_residual(x, residual, dropout),
        }
    }

    /// Computes the queries and keys of the layer's attention from its input, `[tokens, hidden]` each.
    pub(crate) fn queries_and_keys(
        &self,
        hidden: Tensor<2>,
        source: DropoutSource,
    ) -> [Tensor<2>; 2] {
        let input = self.before_block(hidden, &self.attention_norm);
        [&self.query, &self.key]
            .map(|projection| projection.forward(input.clone(), Activation::Identity, source))
    }

    /// Returns the layer as the one with index `number`.
    pub(crate) fn numbered(self, number: usize) -> Self {
        Self { number, ..self }
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
