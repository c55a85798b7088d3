//! The exponential moving average of weights.

use super::{math::mul_add, multiversion::multiversion};

multiversion! {
    /// Replaces `average` by `average + (value - average) · rest`.
    pub(crate) fn move_towards(average: &mut [f32], value: &[f32], rest: f32) {
        for (average, value) in average.iter_mut().zip(value) {
            *average = mul_add::<FMA>(value - *average, rest, *average);
        }
    }
}
