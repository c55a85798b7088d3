//! Optimizer steps as functions of tensors without autodiff; see [`OptimizerOps`].

use burn::{
    Tensor,
    backend::{Dispatch, DispatchTensor},
};

use crate::{
    Indices,
    ops::{AdafactorStep, AdamStep, EncoderOps, OptimizerOps, SgdStep, TableRows},
};

/// Takes a step of AdamW or Adam; see [`OptimizerOps::adam_step`].
pub fn adam_step<const D: usize>(
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    moment_1: Tensor<D>,
    moment_2: Tensor<D>,
    step: AdamStep,
) -> (Tensor<D>, Tensor<D>, Tensor<D>) {
    let (parameter, moment_1, moment_2) = Dispatch::adam_step(
        parameter.into_dispatch(),
        gradient.into_dispatch(),
        moment_1.into_dispatch(),
        moment_2.into_dispatch(),
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
    step: AdamStep,
) -> (Tensor<1>, Tensor<1>, Tensor<1>) {
    let (parameter, moment_1, moment_2) = Dispatch::adam_rows_step(
        parameter.into_dispatch(),
        gradient.into_dispatch(),
        moment_1.into_dispatch(),
        moment_2.into_dispatch(),
        rows,
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
    step: SgdStep,
) -> Tensor<D> {
    float(Dispatch::sgd_step(
        parameter.into_dispatch(),
        gradient.into_dispatch(),
        step,
    ))
}

/// Takes a step of SGD with momentum; see [`OptimizerOps::sgd_momentum_step`].
pub fn sgd_momentum_step<const D: usize>(
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    buffer: Tensor<D>,
    step: SgdStep,
) -> (Tensor<D>, Tensor<D>) {
    let (parameter, buffer) = Dispatch::sgd_momentum_step(
        parameter.into_dispatch(),
        gradient.into_dispatch(),
        buffer.into_dispatch(),
        step,
    );
    (float(parameter), float(buffer))
}

/// Computes Adafactor's update of a vector; see [`OptimizerOps::adafactor_update`].
pub fn adafactor_update<const D: usize>(
    gradient: Tensor<D>,
    moment: Tensor<D>,
    step: AdafactorStep,
) -> (Tensor<D>, Tensor<D>) {
    let (update, moment) =
        Dispatch::adafactor_update(gradient.into_dispatch(), moment.into_dispatch(), step);
    (float(update), float(moment))
}

/// Computes Adafactor's update of a matrix; see [`OptimizerOps::adafactor_factored_update`].
pub fn adafactor_factored_update(
    gradient: Tensor<2>,
    row_moment: Tensor<1>,
    column_moment: Tensor<1>,
    step: AdafactorStep,
) -> (Tensor<2>, Tensor<1>, Tensor<1>) {
    let (update, rows, columns) = Dispatch::adafactor_factored_update(
        gradient.into_dispatch(),
        row_moment.into_dispatch(),
        column_moment.into_dispatch(),
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

fn float<const D: usize>(tensor: DispatchTensor) -> Tensor<D> {
    Tensor::from_dispatch(tensor)
}
