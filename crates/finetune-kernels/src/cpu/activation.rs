//! Stand-in.
use crate::Activation;

pub(crate) fn apply(activation: Activation, x: &mut [f32]) {
    for x in x {
        *x = crate::flex::value(activation, *x);
    }
}

pub(crate) fn apply_to(activation: Activation, source: &[f32], target: &mut [f32]) {
    for (x, y) in source.iter().zip(target) {
        *y = crate::flex::value(activation, *x);
    }
}
