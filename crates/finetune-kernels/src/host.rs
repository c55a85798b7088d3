//! Values in the host's memory: out of a tensor, and transposed.
//!
//! They are here since this crate is always optimized.

use burn::Tensor;

/// Number of rows of a matrix that are transposed at a time, so that they stay in the cache.
const BLOCK: usize = 32;

/// Returns a tensor's values as f32 in row-major order.
pub fn values_of<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data();
    match data.as_slice::<f32>() {
        Ok(values) => values.to_vec(),
        // Another type of elements.
        Err(_) => data.iter::<f32>().collect(),
    }
}

/// Transposes `[rows, columns]` to `[columns, rows]`.
pub fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut transposed = vec![0.0; values.len()];
    for first in (0..rows).step_by(BLOCK) {
        let some = &values[first * columns..rows.min(first + BLOCK) * columns];
        transpose_rows(some, columns, &mut transposed, rows, first);
    }
    transposed
}

/// Writes rows of a matrix with `rows` rows, of which `values` has those from `first` on, `[_, columns]`, to
/// their places in its transpose `[columns, rows]`.
pub fn transpose_rows(
    values: &[f32],
    columns: usize,
    transposed: &mut [f32],
    rows: usize,
    first: usize,
) {
    for (column, target) in transposed.chunks_exact_mut(rows.max(1)).enumerate() {
        let values = values[column..].iter().step_by(columns);
        for (target, value) in target[first..].iter_mut().zip(values) {
            *target = *value;
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, FloatDType};

    use super::*;

    #[test]
    fn values_of_any_type_and_layout() {
        let device = Device::flex();
        let tensor = Tensor::<2>::from_floats([[1.0, -2.5], [0.25, 8.0]], &device);
        assert_eq!(values_of(tensor.clone()), [1.0, -2.5, 0.25, 8.0]);
        assert_eq!(
            values_of(tensor.clone().transpose()),
            [1.0, 0.25, -2.5, 8.0]
        );
        let half = tensor.cast(FloatDType::BF16);
        assert_eq!(values_of(half), [1.0, -2.5, 0.25, 8.0]);
    }

    #[test]
    fn more_rows_than_a_block() {
        for (rows, columns) in [(0, 3), (3, 0), (1, 5), (7, 1), (31, 2), (70, 33)] {
            let place = |row: usize, column: usize| (row * columns + column) as f32;
            let matrix: Vec<f32> = (0..rows * columns).map(|index| index as f32).collect();
            let expected =
                (0..columns).flat_map(|column| (0..rows).map(move |row| place(row, column)));
            let expected: Vec<f32> = expected.collect();
            assert_eq!(
                transpose(&matrix, rows, columns),
                expected,
                "{rows} × {columns}"
            );
        }
    }
}
