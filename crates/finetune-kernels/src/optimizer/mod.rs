//! The boundary for optimizer steps: plain tensors in, new plain tensors out.
//!
//! A tensor that nobody else holds may be overwritten with the result; one that is shared (a
//! snapshot for a checkpoint, a weight average) is not.

mod functional;
mod rows;
mod steps;

use burn::backend::{Backend, TensorMetadata, backend_extension, tensor::FloatTensor};

use crate::portable;

pub use functional::{
    adafactor_factored_update, adafactor_update, adam_rows_step, adam_step, moving_average,
    scatter_rows, sgd_momentum_step, sgd_step, square_sum, zeros,
};
pub use rows::TableRows;
pub use steps::{AdafactorStep, AdamStep, SgdStep};

/// Optimizer steps, with portable bodies that a backend may override.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cuda")
)]
pub trait OptimizerOps: Backend {
    /// One step of `torch.optim.AdamW` or `torch.optim.Adam`; returns the new parameter, first and
    /// second moment. All tensors have one shape.
    fn adam_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        portable::adam_step::<Self>(parameter, gradient, moment_1, moment_2, step)
    }

    /// [`adam_step`](Self::adam_step) of a table whose gradient is zero but for some rows: `gradient`
    /// is `[used, columns]`, the others `[rows · columns]` row after row.
    fn adam_rows_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        rows: TableRows,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let gradient = portable::whole_gradient::<Self>(gradient, &parameter, &rows.used);
        portable::adam_step::<Self>(parameter, gradient, moment_1, moment_2, step)
    }

    /// `[length]` zeros like `like`, without memory until they are written, where that can be.
    fn zeros(length: usize, like: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_zeros([length].into(), &like.device(), like.dtype().into())
    }

    /// One step of `torch.optim.SGD` without momentum; returns the new parameter.
    fn sgd_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        step: SgdStep,
    ) -> FloatTensor<Self> {
        portable::sgd_step::<Self>(parameter, gradient, step)
    }

    /// One step of `torch.optim.SGD` with momentum; returns the new parameter and buffer. A buffer
    /// of zeros is that before the first step.
    fn sgd_momentum_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        buffer: FloatTensor<Self>,
        step: SgdStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        portable::sgd_momentum_step::<Self>(parameter, gradient, buffer, step)
    }

    /// The update that Adafactor (Shazeer & Stern 2018; transformers' `Adafactor`) subtracts, from
    /// the gradient and the second moment, all of one shape; returns it and the new moment.
    fn adafactor_update(
        gradient: FloatTensor<Self>,
        moment: FloatTensor<Self>,
        step: AdafactorStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        portable::adafactor_update::<Self>(gradient, moment, step)
    }

    /// The same for a gradient `[rows, columns]`, whose second moment is held as its means over the
    /// columns, `[rows]`, and over the rows, `[columns]`. Returns the update and both means. The
    /// update of a transposed gradient is the transposed update.
    fn adafactor_factored_update(
        gradient: FloatTensor<Self>,
        row_moment: FloatTensor<Self>,
        column_moment: FloatTensor<Self>,
        step: AdafactorStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        portable::adafactor_factored_update::<Self>(gradient, row_moment, column_moment, step)
    }

    /// `average · decay + value · (1 - decay)`, of one shape: torch's
    /// `average.lerp_(value, 1 - decay)`.
    fn moving_average(
        average: FloatTensor<Self>,
        value: FloatTensor<Self>,
        decay: f64,
    ) -> FloatTensor<Self> {
        portable::moving_average::<Self>(average, value, decay)
    }

    /// Sum of the squares of all elements, `[1]`.
    fn square_sum(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        portable::square_sum::<Self>(tensor)
    }
}

#[cfg(feature = "flex")]
impl OptimizerOps for burn::backend::Flex {
    fn adam_rows_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        rows: TableRows,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        crate::flex::adam_rows_step(parameter, gradient, moment_1, moment_2, &rows, step)
    }

    fn zeros(length: usize, _like: FloatTensor<Self>) -> FloatTensor<Self> {
        crate::flex::zeros(length)
    }

    fn adam_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        crate::flex::adam_step(parameter, gradient, moment_1, moment_2, step)
    }

    fn sgd_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        step: SgdStep,
    ) -> FloatTensor<Self> {
        crate::flex::sgd_step(parameter, gradient, step)
    }

    fn sgd_momentum_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        buffer: FloatTensor<Self>,
        step: SgdStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        crate::flex::sgd_momentum_step(parameter, gradient, buffer, step)
    }

    fn adafactor_update(
        gradient: FloatTensor<Self>,
        moment: FloatTensor<Self>,
        step: AdafactorStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        crate::flex::adafactor_update(gradient, moment, step)
    }

    fn adafactor_factored_update(
        gradient: FloatTensor<Self>,
        row_moment: FloatTensor<Self>,
        column_moment: FloatTensor<Self>,
        step: AdafactorStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        crate::flex::adafactor_factored_update(gradient, row_moment, column_moment, step)
    }

    fn moving_average(
        average: FloatTensor<Self>,
        value: FloatTensor<Self>,
        decay: f64,
    ) -> FloatTensor<Self> {
        crate::flex::moving_average(average, value, decay)
    }

    fn square_sum(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        crate::flex::square_sum(tensor)
    }
}

#[cfg(feature = "ndarray")]
#[allow(deprecated)] // See `EncoderOps`.
impl OptimizerOps for burn::backend::NdArray {}

#[cfg(feature = "cuda")]
impl OptimizerOps for burn::backend::Cuda {}
