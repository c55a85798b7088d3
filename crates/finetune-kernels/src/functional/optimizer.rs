//! Optimizer steps as functions of tensors without autodiff; see [`OptimizerOps`].

use burn::{
    Tensor,
    backend::{Dispatch, DispatchTensor},
};

use crate::{
    Indices,
    ops::{
        self, AdafactorStep, AdamStep, EncoderOps, OptimizerOps, SgdStep, TableRows,
        optimizer::square_parts,
    },
};

/// A factor of all elements of a tensor.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a step has two of them")]
pub enum Factor {
    /// A number.
    Host(f64),
    /// The value of a tensor, `[1]`, which is used without waiting for it.
    Device(Tensor<1>),
}

impl From<f64> for Factor {
    fn from(factor: f64) -> Self {
        Self::Host(factor)
    }
}

impl From<Factor> for ops::Factor<Dispatch> {
    fn from(factor: Factor) -> Self {
        match factor {
            Factor::Host(factor) => Self::Host(factor),
            Factor::Device(factor) => Self::Device(factor.into_dispatch()),
        }
    }
}

/// Takes a step of AdamW or Adam; see [`OptimizerOps::adam_step`].
pub fn adam_step<const D: usize>(
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    moment_1: Tensor<D>,
    moment_2: Tensor<D>,
    gradient_scale: impl Into<Factor>,
    step: AdamStep,
) -> (Tensor<D>, Tensor<D>, Tensor<D>) {
    let (parameter, moment_1, moment_2) = Dispatch::adam_step(
        parameter.into_dispatch(),
        gradient.into_dispatch(),
        moment_1.into_dispatch(),
        moment_2.into_dispatch(),
        gradient_scale.into().into(),
        step,
    );
    (float(parameter), float(moment_1), float(moment_2))
}

/// Takes a step of AdamW or Adam for some rows of a table; see [`OptimizerOps::adam_rows_step`].
pub fn adam_rows_step(
    parameter: Tensor<1>,
    gradient: Tensor<2>,
    moment_1: Tensor<1>,
    moment_2: Tensor<1>,
    rows: TableRows,
    gradient_scale: impl Into<Factor>,
    step: AdamStep,
) -> (Tensor<1>, Tensor<1>, Tensor<1>) {
    let (parameter, moment_1, moment_2) = Dispatch::adam_rows_step(
        parameter.into_dispatch(),
        gradient.into_dispatch(),
        moment_1.into_dispatch(),
        moment_2.into_dispatch(),
        rows,
        gradient_scale.into().into(),
        step,
    );
    (float(parameter), float(moment_1), float(moment_2))
}

/// Creates `[length]` zeros on the device of `like`; see [`OptimizerOps::zeros`].
pub fn zeros<const D: usize>(length: usize, like: &Tensor<D>) -> Tensor<1> {
    float(Dispatch::zeros(length, like.clone().into_dispatch()))
}

/// Sums rows of `values` into a table of `rows` rows: row `i` of `values` is added to row `places[i]`.
/// `[n, columns]` to `[rows, columns]`.
pub fn scatter_rows(values: Tensor<2>, places: impl Into<Indices>, rows: usize) -> Tensor<2> {
    float(Dispatch::scatter_rows(
        values.into_dispatch(),
        places.into(),
        rows,
    ))
}

/// Takes a step of SGD without momentum; see [`OptimizerOps::sgd_step`].
pub fn sgd_step<const D: usize>(
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    gradient_scale: impl Into<Factor>,
    step: SgdStep,
) -> Tensor<D> {
    float(Dispatch::sgd_step(
        parameter.into_dispatch(),
        gradient.into_dispatch(),
        gradient_scale.into().into(),
        step,
    ))
}

/// Takes a step of SGD with momentum; see [`OptimizerOps::sgd_momentum_step`].
pub fn sgd_momentum_step<const D: usize>(
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    buffer: Tensor<D>,
    gradient_scale: impl Into<Factor>,
    step: SgdStep,
) -> (Tensor<D>, Tensor<D>) {
    let (parameter, buffer) = Dispatch::sgd_momentum_step(
        parameter.into_dispatch(),
        gradient.into_dispatch(),
        buffer.into_dispatch(),
        gradient_scale.into().into(),
        step,
    );
    (float(parameter), float(buffer))
}

/// Computes Adafactor's update of a vector; see [`OptimizerOps::adafactor_update`].
pub fn adafactor_update<const D: usize>(
    gradient: Tensor<D>,
    moment: Tensor<D>,
    gradient_scale: impl Into<Factor>,
    step: AdafactorStep,
) -> (Tensor<D>, Tensor<D>) {
    let (update, moment) = Dispatch::adafactor_update(
        gradient.into_dispatch(),
        moment.into_dispatch(),
        gradient_scale.into().into(),
        step,
    );
    (float(update), float(moment))
}

/// Computes Adafactor's update of a matrix; see [`OptimizerOps::adafactor_factored_update`].
pub fn adafactor_factored_update(
    gradient: Tensor<2>,
    row_moment: Tensor<1>,
    column_moment: Tensor<1>,
    gradient_scale: impl Into<Factor>,
    step: AdafactorStep,
) -> (Tensor<2>, Tensor<1>, Tensor<1>) {
    let (update, rows, columns) = Dispatch::adafactor_factored_update(
        gradient.into_dispatch(),
        row_moment.into_dispatch(),
        column_moment.into_dispatch(),
        gradient_scale.into().into(),
        step,
    );
    (float(update), float(rows), float(columns))
}

/// Computes `average · decay + value · (1 - decay)`; see [`OptimizerOps::moving_average`].
pub fn moving_average<const D: usize>(
    average: Tensor<D>,
    value: Tensor<D>,
    decay: f64,
) -> Tensor<D> {
    float(Dispatch::moving_average(
        average.into_dispatch(),
        value.into_dispatch(),
        decay,
    ))
}

/// Computes `x + y` for tensors of the same shape, in the memory of `x` if nothing else holds it.
pub fn sum<const D: usize>(x: Tensor<D>, y: Tensor<D>) -> Tensor<D> {
    float(Dispatch::sum(x.into_dispatch(), y.into_dispatch()))
}

/// Sums the squares of all elements, `[1]`.
pub fn square_sum<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    float(Dispatch::square_sum(tensor.into_dispatch()))
}

/// Computes the L2 norm of all gradients together and the factor, at most 1, that scales them down to a norm of
/// `max_norm`, as `torch.nn.utils.clip_grad_norm_` does: twice `[1]`, for which nothing waits. Returns `None` if
/// there are no gradients.
pub fn clipping(gradients: Vec<Tensor<1>>, max_norm: f64) -> Option<[Tensor<1>; 2]> {
    let parts = |gradient: &Tensor<1>| square_parts(gradient.shape().num_elements());
    let number = gradients.iter().map(parts).sum();
    let mut sums = zeros(number, gradients.first()?).into_dispatch();
    let mut place = 0;
    for gradient in gradients {
        let next = place + parts(&gradient);
        sums = Dispatch::put_square_sums(sums, gradient.into_dispatch(), place);
        place = next;
    }
    let (norm, factor) = Dispatch::clip_factor(sums, max_norm);
    Some([float(norm), float(factor)])
}

fn float<const D: usize>(tensor: DispatchTensor) -> Tensor<D> {
    Tensor::from_dispatch(tensor)
}
