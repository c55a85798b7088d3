//! Stochastic gradient descent.

use super::{math::mul_add, multiversion::multiversion};
use crate::SgdStep;

/// The settings that all elements share in a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sgd {
    pub rate: f32,
    pub decay: f32,
    pub momentum: f32,
    pub nesterov: bool,
}

impl From<SgdStep> for Sgd {
    fn from(step: SgdStep) -> Self {
        Self {
            rate: step.learning_rate as f32,
            decay: step.weight_decay as f32,
            momentum: step.momentum as f32,
            nesterov: step.nesterov,
        }
    }
}

multiversion! {
    /// Takes a step without momentum for some elements, in place.
    pub(crate) fn step(sgd: Sgd, gradient_scale: f32, parameter: &mut [f32], gradient: &[f32]) {
        for (p, &g) in parameter.iter_mut().zip(gradient) {
            let g = mul_add::<FMA>(*p, sgd.decay, g * gradient_scale);
            *p = mul_add::<FMA>(g, -sgd.rate, *p);
        }
    }
}

multiversion! {
    /// Takes a step with momentum for some elements, in place.
    pub(crate) fn momentum_step(
        sgd: Sgd,
        gradient_scale: f32,
        parameter: &mut [f32],
        gradient: &[f32],
        buffer: &mut [f32],
    ) {
        for ((p, &g), m) in parameter.iter_mut().zip(gradient).zip(buffer) {
            let g = mul_add::<FMA>(*p, sgd.decay, g * gradient_scale);
            *m = mul_add::<FMA>(*m, sgd.momentum, g);
            let update = match sgd.nesterov {
                true => mul_add::<FMA>(*m, sgd.momentum, g),
                false => *m,
            };
            *p = mul_add::<FMA>(update, -sgd.rate, *p);
        }
    }
}
