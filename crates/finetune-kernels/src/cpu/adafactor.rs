//! The parts of Adafactor's update that touch every element.

use super::{math::mul_add, multiversion::multiversion};
use crate::AdafactorStep;

/// The settings that all elements share in a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Adafactor {
    pub epsilon: f32,
    pub beta: f32,
    pub rest: f32,
}

impl From<AdafactorStep> for Adafactor {
    fn from(step: AdafactorStep) -> Self {
        Self {
            epsilon: step.epsilon as f32,
            beta: step.beta_2 as f32,
            rest: (1.0 - step.beta_2) as f32,
        }
    }
}

multiversion! {
    /// Updates the second moment and divides the gradient by its square root, both in place.
    pub(crate) fn divide_by_root(
        adafactor: Adafactor,
        gradient_scale: f32,
        gradient: &mut [f32],
        moment: &mut [f32],
    ) {
        for (g, v) in gradient.iter_mut().zip(moment) {
            let scaled = *g * gradient_scale;
            let square = mul_add::<FMA>(scaled, scaled, adafactor.epsilon);
            *v = mul_add::<FMA>(*v, adafactor.beta, square * adafactor.rest);
            *g = scaled / v.sqrt();
        }
    }
}

multiversion! {
    /// Multiplies a row by its factor and by the factors of the columns.
    pub(crate) fn scale_row(row: &mut [f32], factor: f32, column_factors: &[f32]) {
        for (value, column_factor) in row.iter_mut().zip(column_factors) {
            *value *= factor * column_factor;
        }
    }
}

multiversion! {
    /// Multiplies all values by a factor.
    pub(crate) fn scale(values: &mut [f32], factor: f32) {
        values.iter_mut().for_each(|value| *value *= factor);
    }
}
