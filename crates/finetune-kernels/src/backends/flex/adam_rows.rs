//! Steps of Adam for a table of which only a few rows have gradients.

use burn::{
    backend::{Flex, TensorMetadata, tensor::FloatTensor},
    tensor::TensorData,
};
use rayon::prelude::*;

use super::{adam_step, are_plain, factor::value_of, values, values_mut};
use crate::{AdamStep, TableRows, backends::portable, cpu::adam, ops::Factor};

/// Number of rows that a thread processes at a time.
const ROWS: usize = 64;

/// See [`OptimizerOps::adam_rows_step`](crate::ops::OptimizerOps::adam_rows_step).
pub(crate) fn adam_rows_step(
    mut parameter: FloatTensor<Flex>,
    gradient: FloatTensor<Flex>,
    mut moment_1: FloatTensor<Flex>,
    mut moment_2: FloatTensor<Flex>,
    rows: &TableRows,
    gradient_scale: Factor<Flex>,
    step: AdamStep,
) -> (FloatTensor<Flex>, FloatTensor<Flex>, FloatTensor<Flex>) {
    let columns = gradient.shape()[1];
    let coupled = step.coupled_decay() != 0.0;
    if !are_plain([&parameter, &gradient, &moment_1, &moment_2]) || columns == 0 || coupled {
        let gradient = portable::whole_gradient::<Flex>(gradient, &parameter, &rows.used);
        return adam_step(
            parameter,
            gradient,
            moment_1,
            moment_2,
            gradient_scale,
            step,
        );
    }
    let (settings, decay) = (step.into(), step.decay_factor() as f32);
    let scale = value_of(&gradient_scale);
    let none = vec![0.0; columns];
    let gradients = values(&gradient);
    let gradient_of = |row: usize| match rows.used.binary_search(&(row as u32)) {
        Ok(place) => &gradients[place * columns..][..columns],
        Err(_) => &none,
    };
    values_mut(&mut parameter)
        .par_chunks_mut(ROWS * columns)
        .zip(values_mut(&mut moment_1).par_chunks_mut(ROWS * columns))
        .zip(values_mut(&mut moment_2).par_chunks_mut(ROWS * columns))
        .enumerate()
        .for_each(|(chunk, ((parameter, moment_1), moment_2))| {
            let lines = parameter.chunks_exact_mut(columns);
            let moments = moment_1.chunks_exact_mut(columns);
            let moments = moments.zip(moment_2.chunks_exact_mut(columns));
            for (index, (line, (moment_1, moment_2))) in lines.zip(moments).enumerate() {
                let row = chunk * ROWS + index;
                if rows.ever_used[row] {
                    adam::step(settings, scale, line, gradient_of(row), moment_1, moment_2);
                } else if decay != 1.0 {
                    line.iter_mut().for_each(|p| *p *= decay);
                }
            }
        });
    (parameter, moment_1, moment_2)
}

/// See [`OptimizerOps::zeros`](crate::ops::OptimizerOps::zeros). The system allocates the memory
/// when it is written; Burn's own zeros are copied.
pub(crate) fn zeros(length: usize) -> FloatTensor<Flex> {
    FloatTensor::<Flex>::from_data(TensorData::new(vec![0.0f32; length], [length]))
}
