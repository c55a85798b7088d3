//! Adafactor's updates.

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};
use rayon::prelude::*;

use super::{CHUNK, are_plain, factor::value_of, values, values_mut};
use crate::{
    AdafactorStep,
    backends::portable,
    cpu::{adafactor, squares},
    ops::Factor,
};

/// Number of elements over whose rows a thread sums the columns at a time. It is more than `CHUNK`,
/// because each piece needs a sum per column.
const ROW_CHUNK: usize = 1 << 17;

/// See [`OptimizerOps::adafactor_update`](crate::ops::OptimizerOps::adafactor_update). The update
/// reuses the gradient's memory.
pub(crate) fn adafactor_update(
    mut gradient: FloatTensor<Flex>,
    mut moment: FloatTensor<Flex>,
    gradient_scale: Factor<Flex>,
    step: AdafactorStep,
) -> (FloatTensor<Flex>, FloatTensor<Flex>) {
    if !are_plain([&gradient, &moment]) {
        return portable::adafactor_update::<Flex>(gradient, moment, gradient_scale, step);
    }
    let (adafactor, scale) = (step.into(), value_of(&gradient_scale));
    values_mut(&mut gradient)
        .par_chunks_mut(CHUNK)
        .zip(values_mut(&mut moment).par_chunks_mut(CHUNK))
        .for_each(|(gradient, moment)| {
            adafactor::divide_by_root(adafactor, scale, gradient, moment)
        });
    clip(values_mut(&mut gradient), step);
    (gradient, moment)
}

/// See [`OptimizerOps::adafactor_factored_update`](crate::ops::OptimizerOps::adafactor_factored_update).
/// The update reuses the gradient's memory.
pub(crate) fn adafactor_factored_update(
    mut gradient: FloatTensor<Flex>,
    mut row_moment: FloatTensor<Flex>,
    mut column_moment: FloatTensor<Flex>,
    gradient_scale: Factor<Flex>,
    step: AdafactorStep,
) -> (FloatTensor<Flex>, FloatTensor<Flex>, FloatTensor<Flex>) {
    let shape = gradient.shape();
    let [rows, columns] = [shape[0], shape[1]];
    if !are_plain([&gradient, &row_moment, &column_moment]) || rows * columns == 0 {
        return portable::adafactor_factored_update::<Flex>(
            gradient,
            row_moment,
            column_moment,
            gradient_scale,
            step,
        );
    }
    let beta = step.beta_2;
    let moved = |moment: f32, sum: f64, count: usize| {
        let mean = sum / count as f64 + step.epsilon;
        (f64::from(moment) * beta + mean * (1.0 - beta)) as f32
    };
    let scale = value_of(&gradient_scale);
    let (row_sums, column_sums) = square_sums(values(&gradient), columns, scale);
    let row_values = values_mut(&mut row_moment);
    for (moment, sum) in row_values.iter_mut().zip(row_sums) {
        *moment = moved(*moment, sum, columns);
    }
    let column_values = values_mut(&mut column_moment);
    for (moment, sum) in column_values.iter_mut().zip(column_sums) {
        *moment = moved(*moment, sum, rows);
    }
    let row_mean = row_values.iter().copied().map(f64::from).sum::<f64>() / rows as f64;
    let row_factors = row_values
        .iter()
        .map(|&moment| (row_mean / f64::from(moment)).sqrt() as f32 * scale);
    let row_factors: Vec<f32> = row_factors.collect();
    let column_factors = column_values.iter().map(|moment| moment.sqrt().recip());
    let column_factors: Vec<f32> = column_factors.collect();
    let per_chunk = (CHUNK / columns).max(1);
    values_mut(&mut gradient)
        .par_chunks_mut(per_chunk * columns)
        .zip(row_factors.par_chunks(per_chunk))
        .for_each(|(gradient, row_factors)| {
            for (row, row_factor) in gradient.chunks_mut(columns).zip(row_factors) {
                adafactor::scale_row(row, *row_factor, &column_factors);
            }
        });
    clip(values_mut(&mut gradient), step);
    (gradient, row_moment, column_moment)
}

/// Sums the squares of each row and of each column, in f64.
fn square_sums(gradient: &[f32], columns: usize, scale: f32) -> (Vec<f64>, Vec<f64>) {
    let per_chunk = (ROW_CHUNK / columns).max(1);
    let pieces: Vec<_> = gradient
        .par_chunks(per_chunk * columns)
        .map(|piece| {
            let mut column_sums = vec![0.0; columns];
            let row_sums = piece.chunks(columns).map(|row| {
                squares::add_to(&mut column_sums, row);
                squares::of_few(row)
            });
            (row_sums.collect::<Vec<_>>(), column_sums)
        })
        .collect();
    let factor = f64::from(scale) * f64::from(scale);
    let mut all_rows = Vec::with_capacity(gradient.len() / columns);
    let mut all_columns = vec![0.0; columns];
    for (row_sums, column_sums) in pieces {
        all_rows.extend(row_sums.into_iter().map(|sum| sum * factor));
        for (all, sum) in all_columns.iter_mut().zip(column_sums) {
            *all += sum * factor;
        }
    }
    (all_rows, all_columns)
}

/// Scales an update down if its root mean square is above the threshold, and multiplies it by the
/// learning rate.
fn clip(update: &mut [f32], step: AdafactorStep) {
    let mean = squares::sum_of_squares(update) / update.len().max(1) as f64;
    let factor = step.learning_rate / (mean.sqrt() / step.clip_threshold).max(1.0);
    let factor = factor as f32;
    update
        .par_chunks_mut(CHUNK)
        .for_each(|chunk| adafactor::scale(chunk, factor));
}
