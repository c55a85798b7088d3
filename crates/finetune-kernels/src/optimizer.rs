//! The boundary for optimizer steps: plain tensors in, new plain tensors out.

use burn::{
    Tensor,
    backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor},
};

/// The numbers of one AdamW step that are the same for all elements of a tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWStep {
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// Decay rate of the first moment.
    pub beta_1: f64,
    /// Decay rate of the second moment.
    pub beta_2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Number of this step, from 1, for the bias correction.
    pub step: u64,
    /// What the gradient is multiplied with first (global-norm clipping).
    pub gradient_scale: f64,
}

impl AdamWStep {
    /// `1 - beta_1^step`
    pub fn bias_correction_1(&self) -> f64 {
        1.0 - self.beta_1.powf(self.step as f64)
    }

    /// `1 - beta_2^step`
    pub fn bias_correction_2(&self) -> f64 {
        1.0 - self.beta_2.powf(self.step as f64)
    }
}

/// Optimizer steps, with portable bodies that a backend may override.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cuda")
)]
pub trait OptimizerOps: Backend {
    /// One step of AdamW as `torch.optim.AdamW` does it; returns the new parameter, first and
    /// second moment. All tensors have one shape.
    fn adamw_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        step: AdamWStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        portable_adamw_step::<Self>(parameter, gradient, moment_1, moment_2, step)
    }
}

/// The portable body.
pub(crate) fn portable_adamw_step<B: Backend>(
    parameter: FloatTensor<B>,
    gradient: FloatTensor<B>,
    moment_1: FloatTensor<B>,
    moment_2: FloatTensor<B>,
    step: AdamWStep,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let scaled = |tensor, factor: f64| B::float_mul_scalar(tensor, factor.into());
    let gradient = match step.gradient_scale {
        1.0 => gradient,
        scale => scaled(gradient, scale),
    };
    let decay = 1.0 - step.learning_rate * step.weight_decay;
    let parameter = if decay == 1.0 {
        parameter
    } else {
        scaled(parameter, decay)
    };
    let moment_1 = B::float_add(
        scaled(moment_1, step.beta_1),
        scaled(gradient.clone(), 1.0 - step.beta_1),
    );
    let moment_2 = B::float_add(
        scaled(moment_2, step.beta_2),
        scaled(B::float_mul(gradient.clone(), gradient), 1.0 - step.beta_2),
    );
    let root = scaled(
        B::float_sqrt(moment_2.clone()),
        step.bias_correction_2().sqrt().recip(),
    );
    let denominator = B::float_add_scalar(root, step.epsilon.into());
    let update = scaled(
        B::float_div(moment_1.clone(), denominator),
        step.learning_rate / step.bias_correction_1(),
    );
    (B::float_sub(parameter, update), moment_1, moment_2)
}

#[cfg(feature = "flex")]
impl OptimizerOps for burn::backend::Flex {
    fn adamw_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        step: AdamWStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        crate::flex::adamw_step(parameter, gradient, moment_1, moment_2, step)
    }
}

#[cfg(feature = "ndarray")]
#[allow(deprecated)] // See `EncoderOps`.
impl OptimizerOps for burn::backend::NdArray {}

#[cfg(feature = "cuda")]
impl OptimizerOps for burn::backend::Cuda {}

/// One AdamW step on tensors without autodiff; see [`OptimizerOps::adamw_step`].
pub fn adamw_step<const D: usize>(
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    moment_1: Tensor<D>,
    moment_2: Tensor<D>,
    step: AdamWStep,
) -> (Tensor<D>, Tensor<D>, Tensor<D>) {
    let (parameter, moment_1, moment_2) = Dispatch::adamw_step(
        parameter.into_dispatch(),
        gradient.into_dispatch(),
        moment_1.into_dispatch(),
        moment_2.into_dispatch(),
        step,
    );
    (
        Tensor::from_dispatch(parameter),
        Tensor::from_dispatch(moment_1),
        Tensor::from_dispatch(moment_2),
    )
}
