//! The interface of optimizer steps, which take tensors without autodiff and return new ones.
//!
//! A tensor without other owners may be overwritten with the result. One that is shared (with a
//! snapshot for a checkpoint, or a weight average) is not. Each step first multiplies the gradient by
//! `gradient_scale`, which clips it.

use burn::backend::{Backend, TensorMetadata, backend_extension, tensor::FloatTensor};

use super::{AdafactorStep, AdamStep, Factor, SgdStep, TableRows};
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
        #[extension_type] gradient_scale: Factor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        portable::adam_step::<Self>(
            parameter,
            gradient,
            moment_1,
            moment_2,
            gradient_scale,
            step,
        )
    }

    /// Takes an [`adam_step`](Self::adam_step) for a table whose gradient is zero except in some rows:
    /// `gradient` is `[used, columns]`, and the other tensors are `[rows · columns]` in row-major order.
    fn adam_rows_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        rows: TableRows,
        #[extension_type] gradient_scale: Factor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let gradient = portable::whole_gradient::<Self>(gradient, &parameter, &rows.used);
        portable::adam_step::<Self>(
            parameter,
            gradient,
            moment_1,
            moment_2,
            gradient_scale,
            step,
        )
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
        #[extension_type] gradient_scale: Factor<Self>,
        step: SgdStep,
    ) -> FloatTensor<Self> {
        portable::sgd_step::<Self>(parameter, gradient, gradient_scale, step)
    }

    /// Takes a step of `torch.optim.SGD` with momentum; returns the new parameter and buffer. The buffer
    /// is zero before the first step.
    fn sgd_momentum_step(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        buffer: FloatTensor<Self>,
        #[extension_type] gradient_scale: Factor<Self>,
        step: SgdStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        portable::sgd_momentum_step::<Self>(parameter, gradient, buffer, gradient_scale, step)
    }

    /// Computes the update that Adafactor (Shazeer & Stern 2018; transformers' `Adafactor`) subtracts,
    /// from a gradient and a second moment of the same shape; returns it and the new moment.
    fn adafactor_update(
        gradient: FloatTensor<Self>,
        moment: FloatTensor<Self>,
        #[extension_type] gradient_scale: Factor<Self>,
        step: AdafactorStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        portable::adafactor_update::<Self>(gradient, moment, gradient_scale, step)
    }

    /// Computes an [`adafactor_update`](Self::adafactor_update) for a gradient `[rows, columns]` whose
    /// second moment is factored into its means over the columns, `[rows]`, and over the rows,
    /// `[columns]`. Returns the update and both means. The update of a transposed gradient is the
    /// transposed update.
    fn adafactor_factored_update(
        gradient: FloatTensor<Self>,
        row_moment: FloatTensor<Self>,
        column_moment: FloatTensor<Self>,
        #[extension_type] gradient_scale: Factor<Self>,
        step: AdafactorStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        portable::adafactor_factored_update::<Self>(
            gradient,
            row_moment,
            column_moment,
            gradient_scale,
            step,
        )
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

    /// Sums the squares of each of the parts of a tensor, and writes the sums to `sums` from `place` on.
    /// There, `sums` has been zero, and what is returned may differ from the sums of these parts as long as the
    /// total is the same.
    fn put_square_sums(
        sums: FloatTensor<Self>,
        tensor: FloatTensor<Self>,
        place: usize,
    ) -> FloatTensor<Self> {
        portable::put_square_sums::<Self>(sums, tensor, place)
    }

    /// Computes the L2 norm of gradients from the sums of their squares, and the factor, at most 1, that scales
    /// them down to a norm of `max_norm`, as `torch.nn.utils.clip_grad_norm_` does: twice `[1]`.
    fn clip_factor(
        sums: FloatTensor<Self>,
        max_norm: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        portable::clip_factor::<Self>(sums, max_norm)
    }
}

/// Returns the number of parts of which the squares of a tensor of this length are summed.
pub(crate) fn square_parts(length: usize) -> usize {
    /// Number of elements in a part, unless there would be too many parts.
    const PART: usize = 1 << 12;
    const MOST: usize = 256;
    length.div_ceil(PART).min(MOST)
}
