//! The head of sequence classifiers and regression models.

use burn::{Tensor, module::Module};
use finetune_kernels::{Activation, DropoutSource, Site, dropout};
use finetune_peft::{Linear, Part, PartMut};

use crate::{Component, ModelConfig, ModelError, family::HeadKind, values::Values};

/// The classification head, applied to one vector per sequence: a dense layer with an activation
/// (BERT's pooler, DistilBERT's `pre_classifier`) in most models, then dropout and a final linear layer.
#[derive(Module, Debug)]
pub struct Head {
    /// Dense layer, `hidden` to `hidden`, with its activation, in heads that have one.
    pub dense: Option<Linear>,
    /// Final linear layer, `hidden` to `outputs`.
    pub classifier: Linear,
    #[module(skip)]
    kind: HeadKind,
    #[module(skip)]
    dropout: f64,
    /// Number of encoder layers, which selects the head's dropout sites.
    #[module(skip)]
    layers: usize,
}

impl Head {
    pub(crate) fn new(values: &mut Values<'_>, config: &ModelConfig) -> Result<Self, ModelError> {
        Ok(Self {
            dense: match config.has(Component::HeadDense) {
                true => Some(values.linear(Component::HeadDense, 0)?),
                false => None,
            },
            classifier: values.linear(Component::Classifier, 0)?,
            kind: config.structure.head,
            dropout: config.classifier_dropout,
            layers: config.num_hidden_layers,
        })
    }

    /// Maps one vector per sequence, `[batch, hidden]`, to `[batch, outputs]`.
    pub fn forward(&self, pooled: Tensor<2>, source: DropoutSource) -> Tensor<2> {
        let features = match (&self.dense, self.kind.dense) {
            (Some(dense), Some(activation)) => {
                let pooled = match self.kind.input_dropout {
                    true => dropout(
                        pooled,
                        source.site(Site::head_input(self.layers), self.dropout),
                    ),
                    false => pooled,
                };
                dense.forward(pooled, activation, source)
            }
            _ => pooled,
        };
        let features = dropout(features, source.site(Site::head(self.layers), self.dropout));
        self.classifier
            .forward(features, Activation::Identity, source)
    }

    /// Lists the linear layers.
    pub(crate) fn parts(&self) -> Vec<(Component, Part<'_>)> {
        let dense = self.dense.iter();
        let dense = dense.map(|dense| (Component::HeadDense, Part::Linear(dense)));
        let classifier = (Component::Classifier, Part::Linear(&self.classifier));
        dense.chain([classifier]).collect()
    }

    /// Lists the same layers in the same order, borrowed mutably.
    pub(crate) fn parts_mut(&mut self) -> Vec<(Component, PartMut<'_>)> {
        let dense = self.dense.iter_mut();
        let dense = dense.map(|dense| (Component::HeadDense, PartMut::Linear(dense)));
        let classifier = (Component::Classifier, PartMut::Linear(&mut self.classifier));
        dense.chain([classifier]).collect()
    }
}

#[cfg(test)]
mod tests {
    use burn::{module::Param, tensor::Device};

    use super::*;
    use crate::{
        family::{DISTILBERT, ELECTRA, ROBERTA},
        testing::{config_with, model},
    };

    /// A head on two features: `dense` swaps them, `classifier` adds them and takes a bias.
    fn head(family: &'static crate::Family, dropout: f64) -> Head {
        let device = Device::flex();
        let keys = &family.keys;
        let sizes = serde_json::json!({
            keys.hidden_size: 2, keys.intermediate_size: 4, "num_labels": 1,
            keys.classifier_dropout: dropout,
        });
        let mut head = model(config_with(family, sizes)).head;
        let swap = Tensor::from_floats([[0.0, 1.0], [1.0, 0.0]], &device);
        let dense = head.dense.as_mut().unwrap();
        dense.weight = Param::from_tensor(swap);
        dense.bias = Param::from_tensor(Tensor::from_floats([0.0, 0.5], &device));
        head.classifier.weight = Param::from_tensor(Tensor::from_floats([[1.0], [10.0]], &device));
        head.classifier.bias = Param::from_tensor(Tensor::from_floats([-3.0], &device));
        head
    }

    fn output(head: &Head, source: DropoutSource) -> f32 {
        let first = Tensor::from_floats([[-1.5, 2.0]], &Device::flex());
        head.forward(first, source).into_scalar::<f32>()
    }

    #[test]
    fn the_activation_is_that_of_the_family() {
        // dense gives [2, -1]; the classifier gives f(2) + 10·f(-1) - 3.
        let gelu = |x: f64| x * 0.5 * (1.0 + [0.954_499_74, -0.682_689_49][usize::from(x < 0.0)]);
        for (family, expected) in [
            (&DISTILBERT, 2.0 + 0.0 - 3.0),
            (&ROBERTA, 2_f64.tanh() - 10.0 * 1_f64.tanh() - 3.0),
            (&ELECTRA, gelu(2.0) + 10.0 * gelu(-1.0) - 3.0),
        ] {
            let found = f64::from(output(&head(family, 0.0), DropoutSource::OFF));
            let name = family.model_type;
            assert!(
                (found - expected).abs() < 1e-4,
                "{name}: {found} {expected}"
            );
        }
    }

    /// Without dropout of the input, the dense layer sees both features at every step: DistilBERT's
    /// output can only be one of the four sums with features of `relu([2, -1])` kept or dropped.
    #[test]
    fn the_input_is_dropped_where_the_family_says_so() {
        let outputs = |family| -> Vec<f32> {
            let head = head(family, 0.5);
            let at = |step| output(&head, DropoutSource::at(1, step));
            (1..40).map(at).collect()
        };
        let distinct = |family| {
            let mut outputs = outputs(family);
            outputs.sort_by(f32::total_cmp);
            outputs.dedup();
            outputs.len()
        };
        assert_eq!(distinct(&DISTILBERT), 2, "2 / 0.5 - 3 or -3");
        assert!(
            distinct(&ROBERTA) > 4,
            "four sums if the input were never dropped"
        );
    }
}
