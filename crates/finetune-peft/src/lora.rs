//! Low-rank adaptation of a linear layer.

use burn::{
    Tensor,
    module::{Module, Param},
    tensor::Int,
};
use finetune_kernels::{
    Activation, Dropout, LoraOptions, MatmulOptions, Precision, activate, dropout, linear, lora,
    matmul,
};

/// `x · W + bias + scaling · dropout(x) · A · B`; with a magnitude, DoRA. The two thin products
/// are the whole backward pass: no gradient of the weight's shape is ever formed.
#[derive(Module, Debug)]
pub struct Lora {
    /// `[in, r]`; peft's `lora_A` is the transpose.
    pub a: Param<Tensor<2>>,
    /// `[r, out]`; peft's `lora_B` is the transpose.
    pub b: Param<Tensor<2>>,
    /// DoRA's length of each output's weights, `[out]`.
    pub magnitude: Option<Param<Tensor<1>>>,
    #[module(skip)]
    scaling: f64,
    #[module(skip)]
    dropout: f64,
    /// PiSSA and OLoRA: the values of `a` and `b` that were taken out of the weight.
    #[module(skip)]
    initial: Option<(Tensor<2>, Tensor<2>)>,
}

impl Lora {
    /// An adapter with factor `scaling` (`lora_alpha / r`, or `lora_alpha / √r`) and dropout of its
    /// input.
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

    /// Remembers that `scaling · a · b` was taken out of the weight.
    pub(crate) fn with_initial(mut self, a: Tensor<2>, b: Tensor<2>) -> Self {
        self.initial = Some((a, b));
        self
    }

    /// Follows the layer's outputs into another order.
    pub(crate) fn reorder_initial(&mut self, order: &Tensor<1, Int>) {
        if let Some((_, b)) = &mut self.initial {
            *b = b.clone().select(1, order.clone());
        }
    }

    /// What was taken out of the weight at the start, if anything: `[in, r]` and `[r, out]`.
    pub(crate) fn initial(&self) -> Option<&(Tensor<2>, Tensor<2>)> {
        self.initial.as_ref()
    }

    /// Rank.
    pub fn rank(&self) -> usize {
        self.a.shape()[1]
    }

    /// Factor of the product.
    pub fn scaling(&self) -> f64 {
        self.scaling
    }

    /// Probability with which an input feature is dropped.
    pub fn dropout(&self) -> f64 {
        self.dropout
    }

    /// What this adapter makes of the weight, `[in, out]`: for merging.
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

    /// `[tokens, in]` to `[tokens, out]`.
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

    /// DoRA, before the activation.
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
        // In f32 whatever the layer's precision is, as runs of earlier versions were trained: they resume to
        // the same bits.
        let precision = Precision::F32;
        let reduced = matmul(dropped.clone(), self.a.val(), precision);
        let product = matmul(reduced, self.b.val(), precision) * self.scaling;
        // The norm is a constant of the step (section 4.3 of the paper, and peft).
        let (a, b) = (self.a.val().detach(), self.b.val().detach());
        let norms = norms(weight.clone(), a, b, self.scaling);
        let factor = (magnitude / norms).unsqueeze::<2>();
        if drop.is_none() {
            let base = matmul(x, weight, precision);
            return (base + product) * factor + bias.unsqueeze::<2>();
        }
        // With dropout peft keeps the plain output and adds what the dropped input changes.
        let identity = Activation::Identity;
        let base = linear(x, weight.clone(), bias, identity, options);
        let changed = matmul(dropped, weight, precision);
        base + changed * (factor.clone() - 1.0) + product * factor
    }
}

/// Length of each output's weights in `weight + scaling · a · b`: `[out]`. Without the sum itself:
/// `|w + d|² = |w|² + 2 w·d + |d|²`, where the last two need thin matrices only. In f32 whatever the layer's
/// precision is: merging must find the same lengths.
pub(crate) fn norms(weight: Tensor<2>, a: Tensor<2>, b: Tensor<2>, scaling: f64) -> Tensor<1> {
    let columns = |tensor: Tensor<2>| tensor.sum_dim(0).squeeze_dim::<1>(0);
    let own = columns(weight.clone() * weight.clone());
    let multiply = |a, b| matmul(a, b, Precision::F32);
    let across = columns(multiply(a.clone().transpose(), weight) * b.clone());
    let gram = multiply(a.clone().transpose(), a);
    let delta = columns(multiply(gram, b.clone()) * b);
    (own + across * (2.0 * scaling) + delta * (scaling * scaling)).sqrt()
}
