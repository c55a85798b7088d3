//! Weight averages and gradient norms.

use burn::{
    backend::{Flex, tensor::FloatTensor},
    tensor::TensorData,
};
use rayon::prelude::*;

use super::{CHUNK, are_plain, values, values_mut};
use crate::{
    backends::portable,
    cpu::{average, squares::sum_of_squares},
};

/// See [`OptimizerOps::moving_average`](crate::ops::OptimizerOps::moving_average).
pub(crate) fn moving_average(
    mut average: FloatTensor<Flex>,
    value: FloatTensor<Flex>,
    decay: f64,
) -> FloatTensor<Flex> {
    if !are_plain([&average, &value]) {
        return portable::moving_average::<Flex>(average, value, decay);
    }
    let rest = (1.0 - decay) as f32;
    values_mut(&mut average)
        .par_chunks_mut(CHUNK)
        .zip(values(&value).par_chunks(CHUNK))
        .for_each(|(average, value)| average::move_towards(average, value, rest));
    average
}

/// See [`OptimizerOps::square_sum`](crate::ops::OptimizerOps::square_sum). The sum is in f64.
pub(crate) fn square_sum(tensor: FloatTensor<Flex>) -> FloatTensor<Flex> {
    if !are_plain([&tensor]) {
        return portable::square_sum::<Flex>(tensor);
    }
    let sum = sum_of_squares(values(&tensor)) as f32;
    FloatTensor::<Flex>::from_data(TensorData::new(vec![sum], [1]))
}
