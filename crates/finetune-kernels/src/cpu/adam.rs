//! Adam and AdamW.

use super::{math::mul_add, multiversion::multiversion};
use crate::AdamStep;

/// The settings that all elements share in a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Adam {
    pub decay: f32,
    pub coupled_decay: f32,
    pub beta_1: f32,
    pub rest_1: f32,
    pub beta_2: f32,
    pub rest_2: f32,
    pub root_scale: f32,
    pub rate: f32,
    pub epsilon: f32,
}

impl From<AdamStep> for Adam {
    fn from(step: AdamStep) -> Self {
        Self {
            decay: step.decay_factor() as f32,
            coupled_decay: step.coupled_decay() as f32,
            beta_1: step.beta_1 as f32,
            rest_1: (1.0 - step.beta_1) as f32,
            beta_2: step.beta_2 as f32,
            rest_2: (1.0 - step.beta_2) as f32,
            root_scale: step.bias_correction_2().sqrt().recip() as f32,
            rate: (step.learning_rate / step.bias_correction_1()) as f32,
            epsilon: step.epsilon as f32,
        }
    }
}

multiversion! {
    /// Takes a step for some elements, in place.
    pub(crate) fn step(
        adam: Adam,
        gradient_scale: f32,
        parameter: &mut [f32],
        gradient: &[f32],
        moment_1: &mut [f32],
        moment_2: &mut [f32],
    ) {
        let moments = moment_1.iter_mut().zip(moment_2);
        for ((p, &g), (m, v)) in parameter.iter_mut().zip(gradient).zip(moments) {
            let g = mul_add::<FMA>(*p, adam.coupled_decay, g * gradient_scale);
            *m = mul_add::<FMA>(*m, adam.beta_1, g * adam.rest_1);
            *v = mul_add::<FMA>(*v, adam.beta_2, g * g * adam.rest_2);
            let root = mul_add::<FMA>(v.sqrt(), adam.root_scale, adam.epsilon);
            *p = mul_add::<FMA>(*p, adam.decay, -(*m / root * adam.rate));
        }
    }
}
