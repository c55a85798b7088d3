//! Weight averages, sums, and gradient norms.

use burn::{
    backend::{Flex, ops::FloatTensorOps, tensor::FloatTensor},
    tensor::TensorData,
};
use rayon::prelude::*;

use super::{CHUNK, are_plain, values, values_mut};
use crate::{
    backends::portable,
    cpu::{average, norm, squares::sum_of_squares},
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

/// See [`OptimizerOps::sum`](crate::ops::OptimizerOps::sum).
pub(crate) fn sum(mut x: FloatTensor<Flex>, y: FloatTensor<Flex>) -> FloatTensor<Flex> {
    if !are_plain([&x, &y]) {
        return Flex::float_add(x, y);
    }
    values_mut(&mut x)
        .par_chunks_mut(CHUNK)
        .zip(values(&y).par_chunks(CHUNK))
        .for_each(|(x, y)| norm::add(x, y));
    x
}

/// See [`OptimizerOps::square_sum`](crate::ops::OptimizerOps::square_sum). The sum is in f64.
pub(crate) fn square_sum(tensor: FloatTensor<Flex>) -> FloatTensor<Flex> {
    if !are_plain([&tensor]) {
        return portable::square_sum::<Flex>(tensor);
    }
    let sum = sum_of_squares(values(&tensor)) as f32;
    FloatTensor::<Flex>::from_data(TensorData::new(vec![sum], [1]))
}
