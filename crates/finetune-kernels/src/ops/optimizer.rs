//! The interface of optimizer steps, which take tensors without autodiff and return new ones.
//!
//! A tensor without other owners may be overwritten with the result. One that is shared (with a
//! snapshot for a checkpoint, or a weight average) is not.

use burn::backend::{Backend, TensorMetadata, backend_extension, tensor::FloatTensor};

use super::{AdafactorStep, AdamStep, SgdStep, TableRows};
use crate::backends::portable;

/// Optimizer steps, with portable implementations that a backend may override.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cube")
)]
pub trait OptimizerOps: Backend {
    /// Takes a step of `torch.optim.AdamW` or `torch.optim.Adam`; returns the new parameter, first
    /// moment, and second moment. All tensors have the same shape.
    fn adam_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        portable::adam_step::<Self>(parameter, gradient, moment_1, moment_2, step)
    }

    /// Takes an [`adam_step`](Self::adam_step) for a table whose gradient is zero except in some rows:
    /// `gradient` is `[used, columns]`, and the other tensors are `[rows · columns]` in row-major order.
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

    /// Creates `[length]` zeros on the device and of the type of `like`. Where possible, they take no
    /// memory until they are written.
    fn zeros(length: usize, like: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_zeros([length].into(), &like.device(), like.dtype().into())
    }

    /// Takes a step of `torch.optim.SGD` without momentum; returns the new parameter.
    fn sgd_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        step: SgdStep,
    ) -> FloatTensor<Self> {
        portable::sgd_step::<Self>(parameter, gradient, step)
    }

    /// Takes a step of `torch.optim.SGD` with momentum; returns the new parameter and buffer. The buffer
    /// is zero before the first step.
    fn sgd_momentum_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        buffer: FloatTensor<Self>,
        step: SgdStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        portable::sgd_momentum_step::<Self>(parameter, gradient, buffer, step)
    }

    /// Computes the update that Adafactor (Shazeer & Stern 2018; transformers' `Adafactor`) subtracts,
    /// from a gradient and a second moment of the same shape; returns it and the new moment.
    fn adafactor_update(
        gradient: FloatTensor<Self>,
        moment: FloatTensor<Self>,
        step: AdafactorStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        portable::adafactor_update::<Self>(gradient, moment, step)
    }

    /// Computes an [`adafactor_update`](Self::adafactor_update) for a gradient `[rows, columns]` whose
    /// second moment is factored into its means over the columns, `[rows]`, and over the rows,
    /// `[columns]`. Returns the update and both means. The update of a transposed gradient is the
    /// transposed update.
    fn adafactor_factored_update(
        gradient: FloatTensor<Self>,
        row_moment: FloatTensor<Self>,
        column_moment: FloatTensor<Self>,
        step: AdafactorStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        portable::adafactor_factored_update::<Self>(gradient, row_moment, column_moment, step)
    }

    /// Computes `average · decay + value · (1 - decay)`, torch's `average.lerp_(value, 1 - decay)`, for
    /// tensors of the same shape.
    fn moving_average(
        average: FloatTensor<Self>,
        value: FloatTensor<Self>,
        decay: f64,
    ) -> FloatTensor<Self> {
        portable::moving_average::<Self>(average, value, decay)
    }

    /// Computes `x + y` for tensors of the same shape.
    fn sum(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_add(x, y)
    }

    /// Sums the squares of all elements, `[1]`.
    fn square_sum(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        portable::square_sum::<Self>(tensor)
    }
}
