//! Optimizer steps made of primitives, following the code of torch and transformers.

use burn::{
    backend::{Backend, TensorMetadata, tensor::FloatTensor},
    tensor::Shape,
};

use super::scatter_rows;
use crate::{
    Indices,
    ops::{AdafactorStep, AdamStep, Factor, SgdStep},
};

fn scaled<B: Backend>(tensor: FloatTensor<B>, factor: f64) -> FloatTensor<B> {
    match factor {
        1.0 => tensor,
        factor => B::float_mul_scalar(tensor, factor.into()),
    }
}

fn multiplied<B: Backend>(tensor: FloatTensor<B>, factor: Factor<B>) -> FloatTensor<B> {
    match factor {
        Factor::Host(factor) => scaled::<B>(tensor, factor),
        Factor::Device(factor) => {
            let ones = Shape::from(vec![1; tensor.shape().num_dims()]);
            B::float_mul(tensor, B::float_reshape(factor, ones))
        }
    }
}

fn square<B: Backend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    B::float_mul(tensor.clone(), tensor)
}

/// Computes `gradient · scale + parameter · decay`.
fn with_decay<B: Backend>(
    gradient: FloatTensor<B>,
    scale: Factor<B>,
    parameter: &FloatTensor<B>,
    decay: f64,
) -> FloatTensor<B> {
    let gradient = multiplied::<B>(gradient, scale);
    match decay {
        0.0 => gradient,
        decay => B::float_add(gradient, scaled::<B>(parameter.clone(), decay)),
    }
}

/// See [`OptimizerOps::adam_step`](crate::ops::OptimizerOps::adam_step).
pub(crate) fn adam_step<B: Backend>(
    parameter: FloatTensor<B>,
    gradient: FloatTensor<B>,
    moment_1: FloatTensor<B>,
    moment_2: FloatTensor<B>,
    gradient_scale: Factor<B>,
    step: AdamStep,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let decay = step.coupled_decay();
    let gradient = with_decay::<B>(gradient, gradient_scale, &parameter, decay);
    let parameter = scaled::<B>(parameter, step.decay_factor());
    let moment_1 = B::float_add(
        scaled::<B>(moment_1, step.beta_1),
        scaled::<B>(gradient.clone(), 1.0 - step.beta_1),
    );
    let moment_2 = B::float_add(
        scaled::<B>(moment_2, step.beta_2),
        scaled::<B>(square::<B>(gradient), 1.0 - step.beta_2),
    );
    let root = scaled::<B>(
        B::float_sqrt(moment_2.clone()),
        step.bias_correction_2().sqrt().recip(),
    );
    let denominator = B::float_add_scalar(root, step.epsilon.into());
    let update = scaled::<B>(
        B::float_div(moment_1.clone(), denominator),
        step.learning_rate / step.bias_correction_1(),
    );
    (B::float_sub(parameter, update), moment_1, moment_2)
}

/// Expands the gradient of the rows `used` to that of a whole table like `like`, `[rows · columns]`.
pub(crate) fn whole_gradient<B: Backend>(
    gradient: FloatTensor<B>,
    like: &FloatTensor<B>,
    used: &[u32],
) -> FloatTensor<B> {
    let length = like.shape().num_elements();
    let rows = length / gradient.shape()[1].max(1);
    let table = scatter_rows::<B>(gradient, &Indices::from(used), rows);
    B::float_reshape(table, Shape::new([length]))
}

/// See [`OptimizerOps::sgd_step`](crate::ops::OptimizerOps::sgd_step).
pub(crate) fn sgd_step<B: Backend>(
    parameter: FloatTensor<B>,
    gradient: FloatTensor<B>,
    gradient_scale: Factor<B>,
    step: SgdStep,
) -> FloatTensor<B> {
    let gradient = with_decay::<B>(gradient, gradient_scale, &parameter, step.weight_decay);
    B::float_sub(parameter, scaled::<B>(gradient, step.learning_rate))
}

/// See [`OptimizerOps::sgd_momentum_step`](crate::ops::OptimizerOps::sgd_momentum_step).
pub(crate) fn sgd_momentum_step<B: Backend>(
    parameter: FloatTensor<B>,
    gradient: FloatTensor<B>,
    buffer: FloatTensor<B>,
    gradient_scale: Factor<B>,
    step: SgdStep,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let gradient = with_decay::<B>(gradient, gradient_scale, &parameter, step.weight_decay);
    let buffer = B::float_add(scaled::<B>(buffer, step.momentum), gradient.clone());
    let update = match step.nesterov {
        true => B::float_add(gradient, scaled::<B>(buffer.clone(), step.momentum)),
        false => buffer.clone(),
    };
    let update = scaled::<B>(update, step.learning_rate);
    (B::float_sub(parameter, update), buffer)
}

/// See [`OptimizerOps::adafactor_update`](crate::ops::OptimizerOps::adafactor_update).
pub(crate) fn adafactor_update<B: Backend>(
    gradient: FloatTensor<B>,
    moment: FloatTensor<B>,
    gradient_scale: Factor<B>,
    step: AdafactorStep,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let gradient = multiplied::<B>(gradient, gradient_scale);
    let squares = B::float_add_scalar(square::<B>(gradient.clone()), step.epsilon.into());
    let moment = average::<B>(moment, squares, step.beta_2);
    let update = B::float_div(gradient, B::float_sqrt(moment.clone()));
    (clipped::<B>(update, step), moment)
}

/// See [`OptimizerOps::adafactor_factored_update`](crate::ops::OptimizerOps::adafactor_factored_update).
pub(crate) fn adafactor_factored_update<B: Backend>(
    gradient: FloatTensor<B>,
    row_moment: FloatTensor<B>,
    column_moment: FloatTensor<B>,
    gradient_scale: Factor<B>,
    step: AdafactorStep,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let shape = gradient.shape();
    let [rows, columns] = [shape[0], shape[1]];
    let gradient = multiplied::<B>(gradient, gradient_scale);
    let squares = B::float_add_scalar(square::<B>(gradient.clone()), step.epsilon.into());
    let row_means = B::float_reshape(B::float_mean_dim(squares.clone(), 1), Shape::new([rows]));
    let column_means = B::float_reshape(B::float_mean_dim(squares, 0), Shape::new([columns]));
    let row_moment = average::<B>(row_moment, row_means, step.beta_2);
    let column_moment = average::<B>(column_moment, column_means, step.beta_2);
    let share = B::float_div(row_moment.clone(), B::float_mean_dim(row_moment.clone(), 0));
    let row_roots = B::float_reshape(B::float_sqrt(share), Shape::new([rows, 1]));
    let column_roots = B::float_sqrt(column_moment.clone());
    let column_roots = B::float_reshape(column_roots, Shape::new([1, columns]));
    let update = B::float_div(B::float_div(gradient, row_roots), column_roots);
    (clipped::<B>(update, step), row_moment, column_moment)
}

/// Scales Adafactor's update down if its root mean square is above the threshold, and multiplies it by
/// the learning rate.
fn clipped<B: Backend>(update: FloatTensor<B>, step: AdafactorStep) -> FloatTensor<B> {
    let shape = update.shape();
    let count = shape.num_elements() as f64;
    let sum = square_sum::<B>(update.clone());
    let excess = B::float_sqrt(scaled::<B>(sum, 1.0 / count));
    let excess = scaled::<B>(excess, 1.0 / step.clip_threshold);
    let divisor = B::float_clamp_min(excess, 1.0.into());
    let ones = Shape::from(vec![1; shape.num_dims()]);
    let update = B::float_div(update, B::float_reshape(divisor, ones));
    scaled::<B>(update, step.learning_rate)
}

fn average<B: Backend>(
    average: FloatTensor<B>,
    value: FloatTensor<B>,
    decay: f64,
) -> FloatTensor<B> {
    B::float_add(
        B::float_mul_scalar(average, decay.into()),
        scaled::<B>(value, 1.0 - decay),
    )
}

/// See [`OptimizerOps::moving_average`](crate::ops::OptimizerOps::moving_average).
pub(crate) fn moving_average<B: Backend>(
    average: FloatTensor<B>,
    value: FloatTensor<B>,
    decay: f64,
) -> FloatTensor<B> {
    let difference = B::float_sub(value, average.clone());
    B::float_add(average, scaled::<B>(difference, 1.0 - decay))
}

/// See [`OptimizerOps::square_sum`](crate::ops::OptimizerOps::square_sum).
pub(crate) fn square_sum<B: Backend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    B::float_reshape(B::float_sum(square::<B>(tensor)), Shape::new([1]))
}

/// See [`OptimizerOps::put_square_sums`](crate::ops::OptimizerOps::put_square_sums). The first part takes all.
pub(crate) fn put_square_sums<B: Backend>(
    sums: FloatTensor<B>,
    tensor: FloatTensor<B>,
    place: usize,
) -> FloatTensor<B> {
    match tensor.shape().num_elements() {
        0 => sums,
        _ => B::float_slice_assign(sums, &[(place..place + 1).into()], square_sum::<B>(tensor)),
    }
}

/// See [`OptimizerOps::clip_factor`](crate::ops::OptimizerOps::clip_factor).
pub(crate) fn clip_factor<B: Backend>(
    sums: FloatTensor<B>,
    max_norm: f64,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let norm = B::float_sqrt(B::float_reshape(B::float_sum(sums), Shape::new([1])));
    let divisor = B::float_add_scalar(norm.clone(), 1e-6.into());
    let factor = B::float_mul_scalar(B::float_recip(divisor), max_norm.into());
    (norm, B::float_clamp_max(factor, 1.0.into()))
}
