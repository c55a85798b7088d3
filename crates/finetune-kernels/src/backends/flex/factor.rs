//! Factors, which are all in the host's memory here.

use burn::backend::Flex;

use super::values;
use crate::ops::Factor;

/// Returns the value of a factor.
pub(super) fn value_of(factor: &Factor<Flex>) -> f32 {
    match factor {
        Factor::Host(value) => *value as f32,
        Factor::Device(tensor) => values(tensor)[0],
    }
}
