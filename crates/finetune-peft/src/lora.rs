//! Low-rank adaptation of a linear layer.

use burn::{
    Tensor,
    module::{Module, Param},
    tensor::Int,
};
use finetune_kernels::{
    Activation, Dropout, LoraOptions, MatmulOptions, Precision, activate, affine, column_products,
    dropout, dropout_residual, linear, lora, matmul,
};

/// A low-rank update: `x · W + bias + scaling · dropout(x) · A · B`, or DoRA with a magnitude. The
/// backward pass multiplies with `A` and `B` one after the other and never forms a gradient of the
/// weight's shape.
#[derive(Module, Debug)]
pub struct Lora {
    /// `[in, r]`; peft's `lora_A` is the transpose.
    pub a: Param<Tensor<2>>,
    /// `[r, out]`; peft's `lora_B` is the transpose.
    pub b: Param<Tensor<2>>,
    /// DoRA's magnitude: the norm of each output's weights, `[out]`.
    pub magnitude: Option<Param<Tensor<1>>>,
    #[module(skip)]
    scaling: f64,
    #[module(skip)]
    dropout: f64,
    /// For PiSSA and OLoRA, the initial `a` and `b`, whose product was subtracted from the weight.
    #[module(skip)]
    initial: Option<(Tensor<2>, Tensor<2>)>,
}

impl Lora {
    /// Creates an adapter with this `scaling` (`lora_alpha / r`, or `lora_alpha / √r`) and this dropout
    /// probability of its input.
    pub fn new(
        a: Param<Tensor<2>>,
        b: Param<Tensor<2>>,
        magnitude: Option<Param<Tensor<1>>>,
        scaling: f64,
        dropout: f64,
    ) -> Self {
        Self {
            a,
            b,
            magnitude,
            scaling,
            dropout,
            initial: None,
        }
    }

    /// Records that `scaling · a · b` was subtracted from the weight.
    pub(crate) fn with_initial(mut self, a: Tensor<2>, b: Tensor<2>) -> Self {
        self.initial = Some((a, b));
        self
    }

    /// Reorders the outputs of the initial values.
    pub(crate) fn reorder_initial(&mut self, order: &Tensor<1, Int>) {
        if let Some((_, b)) = &mut self.initial {
            *b = b.clone().select(1, order.clone());
        }
    }

    /// Returns the initial `A`, `[in, r]`, and `B`, `[r, out]`, if they were subtracted from the weight.
    pub(crate) fn initial(&self) -> Option<&(Tensor<2>, Tensor<2>)> {
        self.initial.as_ref()
    }

    /// Returns the rank.
    pub fn rank(&self) -> usize {
        self.a.shape()[1]
    }

    /// Returns the factor of `A · B`.
    pub fn scaling(&self) -> f64 {
        self.scaling
    }

    /// Returns the dropout probability of the input.
    pub fn dropout(&self) -> f64 {
        self.dropout
    }

    /// Returns the merged weight, `[in, out]`.
    pub fn merged(&self, weight: Tensor<2>) -> Tensor<2> {
        let (a, b) = (self.a.val(), self.b.val());
        let merged = weight.clone() + matmul(a.clone(), b.clone(), Precision::F32) * self.scaling;
        match &self.magnitude {
            None => merged,
            Some(magnitude) => {
                let factor = magnitude.val() / norms(weight, a, b, self.scaling);
                merged * factor.unsqueeze::<2>()
            }
        }
    }

    /// Maps `[tokens, in]` to `[tokens, out]`.
    pub(crate) fn forward(
        &self,
        x: Tensor<2>,
        weight: Tensor<2>,
        bias: Tensor<1>,
        activation: Activation,
        dropout: Dropout,
        options: MatmulOptions,
    ) -> Tensor<2> {
        let Some(magnitude) = &self.magnitude else {
            let scaled = LoraOptions {
                scaling: self.scaling,
                dropout,
                matmul: options,
            };
            return lora(
                x,
                weight,
                bias,
                [self.a.val(), self.b.val()],
                activation,
                scaled,
            );
        };
        let sum = self.decomposed(x, weight, bias, magnitude.val(), dropout, options);
        activate(sum, activation)
    }

    /// Computes DoRA's output before the activation.
    fn decomposed(
        &self,
        x: Tensor<2>,
        weight: Tensor<2>,
        bias: Tensor<1>,
        magnitude: Tensor<1>,
        drop: Dropout,
        options: MatmulOptions,
    ) -> Tensor<2> {
        let dropped = dropout(x.clone(), drop);
        let precision = options.precision;
        let reduced = matmul(dropped.clone(), self.a.val(), precision);
        let product = matmul(reduced, self.b.val(), precision);
        // The norm is a constant for the gradient (section 4.3 of the paper, and peft).
        let (a, b) = (self.a.val().detach(), self.b.val().detach());
        let norms = norms(weight.clone(), a, b, self.scaling);
        let factor = magnitude / norms;
        let update = affine(product, factor.clone() * self.scaling, bias.zeros_like());
        let sum = |x, y| dropout_residual(x, y, Dropout::NONE);
        if drop.is_none() {
            return sum(affine(matmul(x, weight, options), factor, bias), update);
        }
        // With dropout, peft adds the change computed from the dropped input to the plain output.
        let changed = matmul(dropped, weight.clone(), options.clone());
        let changed = affine(changed, factor - 1.0, bias.zeros_like());
        let base = linear(x, weight, bias, Activation::Identity, options);
        sum(sum(changed, base), update)
    }
}

/// Computes the norm of each output's weights in `weight + scaling · a · b`, `[out]`, without forming
/// the sum: `|w + d|² = |w|² + 2 w·d + |d|²`, whose last two terms need low-rank matrices only. It is
/// always in f32, since merging must find the same norms as the forward pass.
pub(crate) fn norms(weight: Tensor<2>, a: Tensor<2>, b: Tensor<2>, scaling: f64) -> Tensor<1> {
    let own = column_products(weight.clone(), weight.clone());
    let multiply = |a, b| matmul(a, b, Precision::F32);
    let across = column_products(multiply(a.clone().transpose(), weight), b.clone());
    let gram = multiply(a.clone().transpose(), a);
    let delta = column_products(multiply(gram, b.clone()), b);
    (own + across * (2.0 * scaling) + delta * (scaling * scaling)).sqrt()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use finetune_kernels::DropoutSource;

    use super::*;
    use crate::{
        Adapter, AdapterKind, Ia3, Linear, LinearCopy,
        testing::{matrix, values, vector},
    };

    /// A layer of two inputs and two outputs with one adapter.
    fn layer(kind: AdapterKind) -> Linear {
        let mut layer = Linear::new(matrix([[1.0, 2.0], [3.0, 4.0]]), vector([10.0, 20.0]));
        layer.attach(Adapter::new("a", kind), 0);
        layer
    }

    fn lora(scaling: f64, magnitude: Option<[f32; 2]>) -> Lora {
        let (a, b) = (matrix([[1.0], [2.0]]), matrix([[3.0, -1.0]]));
        Lora::new(a, b, magnitude.map(vector), scaling, 0.0)
    }

    /// The outputs for an input of ones, to three decimals.
    fn output(layer: &Linear) -> Vec<f32> {
        let x = Tensor::from_floats([[1.0, 1.0]], &Device::flex());
        let found = layer.forward(x, Activation::Identity, DropoutSource::OFF);
        let round = |value: f32| (value * 1000.0).round() / 1000.0;
        values(found).into_iter().map(round).collect()
    }

    #[test]
    fn the_update_is_the_scaled_product() {
        let mut layer = layer(AdapterKind::Lora(lora(2.0, None)));
        assert_eq!(output(&layer), [14.0, 26.0], "no adapter is active");
        layer.activate(Some("a"));
        // x·A = 3 and 3·B = [9, -3], twice.
        assert_eq!(output(&layer), [14.0 + 18.0, 26.0 - 6.0]);
        layer.activate(Some("b"));
        assert_eq!(output(&layer), [14.0, 26.0], "there is no adapter b");
    }

    #[test]
    fn the_activation_comes_after_the_update() {
        let mut layer = layer(AdapterKind::Lora(lora(-10.0, None)));
        layer.activate(Some("a"));
        let x = Tensor::from_floats([[1.0, 1.0]], &Device::flex());
        let found = layer.forward(x, Activation::Relu, DropoutSource::OFF);
        // [14 - 90, 26 + 30]
        assert_eq!(values(found), [0.0, 56.0]);
    }

    /// W + A·B is [[4, 1], [9, 2]].
    #[test]
    fn dora_norms_are_those_of_the_outputs_columns() {
        let [weight, a, b] = [
            matrix([[1.0, 2.0], [3.0, 4.0]]).val(),
            matrix([[1.0], [2.0]]).val(),
            matrix([[3.0, -1.0]]).val(),
        ];
        let found = values(norms(weight.clone(), a.clone(), b.clone(), 1.0));
        for (found, expected) in found.iter().zip([97_f32.sqrt(), 5_f32.sqrt()]) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
        let without = values(norms(weight, a, b, 0.0));
        for (found, expected) in without.iter().zip([10_f32.sqrt(), 20_f32.sqrt()]) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }

    #[test]
    fn dora_replaces_the_norms_by_the_magnitude() {
        let magnitude = [2.0 * 97_f32.sqrt(), 3.0 * 5_f32.sqrt()];
        let dora = lora(1.0, Some(magnitude));
        let merged = dora.merged(matrix([[1.0, 2.0], [3.0, 4.0]]).val());
        for (found, expected) in values(merged).iter().zip([8.0, 3.0, 18.0, 6.0]) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
        let mut layer = layer(AdapterKind::Lora(dora));
        layer.activate(Some("a"));
        // The bias is not scaled.
        assert_eq!(output(&layer), [26.0 + 10.0, 9.0 + 20.0]);
    }

    #[test]
    fn ia3_scales_outputs_with_their_bias_or_inputs() {
        let scale = || vector([2.0, 3.0]);
        for (feedforward, expected) in [(false, [28.0, 78.0]), (true, [21.0, 36.0])] {
            let mut layer = layer(AdapterKind::Ia3(Ia3::new(scale(), feedforward)));
            layer.activate(Some("a"));
            assert_eq!(output(&layer), expected);
        }
    }

    #[test]
    fn selected_outputs_keep_their_values_in_every_kind_of_adapter() {
        let copy = LinearCopy {
            weight: matrix([[5.0, 6.0], [7.0, 8.0]]),
            bias: vector([1.0, 2.0]),
        };
        for kind in [
            AdapterKind::Lora(lora(2.0, None)),
            AdapterKind::Lora(lora(1.0, Some([1.0, 2.0]))),
            AdapterKind::Ia3(Ia3::new(vector([2.0, 3.0]), false)),
            AdapterKind::Ia3(Ia3::new(vector([2.0, 3.0]), true)),
            AdapterKind::Copy(copy),
        ] {
            let mut layer = layer(kind);
            let plain = output(&layer);
            layer.activate(Some("a"));
            let adapted = output(&layer);
            assert_ne!(adapted, plain);
            layer.select_outputs(&[1, 0, 1]);
            assert_eq!(layer.out_features(), 3);
            assert_eq!(output(&layer), [adapted[1], adapted[0], adapted[1]]);
            layer.activate(None);
            assert_eq!(output(&layer), [plain[1], plain[0], plain[1]]);
        }
    }

    #[test]
    fn replaced_weights_reach_copies_and_remove_other_adapters() {
        let copy = || LinearCopy {
            weight: matrix([[5.0, 6.0], [7.0, 8.0]]),
            bias: vector([1.0, 2.0]),
        };
        for (kind, left) in [
            (AdapterKind::Copy(copy()), 1),
            (AdapterKind::Lora(lora(2.0, None)), 0),
        ] {
            let mut layer = layer(kind);
            layer.activate(Some("a"));
            layer.replace(matrix([[1.0], [2.0]]).val(), vector([4.0]).val());
            assert_eq!(layer.adapters.len(), left);
            assert_eq!(output(&layer), [7.0]);
            layer.activate(None);
            assert_eq!(output(&layer), [7.0]);
        }
    }
}
