use burn::{
    backend::{Flex, tensor::FloatTensor},
    tensor::TensorData,
};
use rayon::prelude::*;

use super::{CHUNK, are_plain, values, values_mut};
use crate::portable;

/// See [`OptimizerOps::moving_average`](crate::OptimizerOps::moving_average).
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
        .for_each(|(average, value)| {
            for (a, &v) in average.iter_mut().zip(value) {
                *a += (v - *a) * rest;
            }
        });
    average
}

/// See [`OptimizerOps::square_sum`](crate::OptimizerOps::square_sum). Summed in f64.
pub(crate) fn square_sum(tensor: FloatTensor<Flex>) -> FloatTensor<Flex> {
    if !are_plain([&tensor]) {
        return portable::square_sum::<Flex>(tensor);
    }
    let sum = sum_of_squares(values(&tensor)) as f32;
    FloatTensor::<Flex>::from_data(TensorData::new(vec![sum], [1]))
}

/// In an order that depends on the length alone.
pub(super) fn sum_of_squares(values: &[f32]) -> f64 {
    let sums: Vec<f64> = values.par_chunks(CHUNK).map(squares_of_chunk).collect();
    sums.into_iter().sum()
}

/// In several sums side by side, so that it vectorises.
pub(super) fn squares_of_chunk(values: &[f32]) -> f64 {
    let mut sums = [0.0; 16];
    let (blocks, rest) = values.as_chunks::<16>();
    for block in blocks {
        for (sum, &value) in sums.iter_mut().zip(block) {
            *sum += f64::from(value) * f64::from(value);
        }
    }
    let rest = rest
        .iter()
        .map(|&value| f64::from(value) * f64::from(value));
    sums.into_iter().chain(rest).sum()
}
