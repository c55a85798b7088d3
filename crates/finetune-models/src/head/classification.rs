//! The head of a sequence classifier.

use burn::{Tensor, module::Module};
use finetune_kernels::{Activation, DropoutSource, Site, dropout};
use finetune_peft::{Linear, Part, PartMut};

use crate::{Component, ModelConfig, ModelError, family::HeadKind, values::Values};

/// The classification head on the first token: a linear layer, an activation, dropout and another
/// linear layer. The first linear layer is BERT's pooler and DistilBERT's `pre_classifier`.
#[derive(Module, Debug)]
pub struct Head {
    /// `hidden` to `hidden`
    pub dense: Linear,
    /// `hidden` to the outputs
    pub classifier: Linear,
    #[module(skip)]
    kind: HeadKind,
    #[module(skip)]
    dropout: f64,
    /// Number of layers below, from which the head's dropout follows.
    #[module(skip)]
    layers: usize,
}

impl Head {
    pub(crate) fn new(values: &mut Values<'_>, config: &ModelConfig) -> Result<Self, ModelError> {
        Ok(Self {
            dense: values.linear(Component::HeadDense, 0)?,
            classifier: values.linear(Component::Classifier, 0)?,
            kind: config.family.head,
            dropout: config.classifier_dropout,
            layers: config.num_hidden_layers,
        })
    }

    /// First tokens of the sequences, `[batch, hidden]`, to `[batch, outputs]`.
    pub fn forward(&self, first: Tensor<2>, source: DropoutSource) -> Tensor<2> {
        let first = match self.kind.input_dropout {
            true => dropout(
                first,
                source.site(Site::head_input(self.layers), self.dropout),
            ),
            false => first,
        };
        let pooled = self.dense.forward(first, self.kind.activation, source);
        let pooled = dropout(pooled, source.site(Site::head(self.layers), self.dropout));
        self.classifier
            .forward(pooled, Activation::Identity, source)
    }

    /// The linear layers.
    pub(crate) fn parts(&self) -> [(Component, Part<'_>); 2] {
        [
            (Component::HeadDense, Part::Linear(&self.dense)),
            (Component::Classifier, Part::Linear(&self.classifier)),
        ]
    }

    /// The same parts in the same order, borrowed mutably.
    pub(crate) fn parts_mut(&mut self) -> [(Component, PartMut<'_>); 2] {
        [
            (Component::HeadDense, PartMut::Linear(&mut self.dense)),
            (Component::Classifier, PartMut::Linear(&mut self.classifier)),
        ]
    }
}
