//! Functions of the columns of a row-major matrix.

use super::{math::mul_add, multiversion::multiversion};

multiversion! {
    /// Writes `x ∘ scale + shift` to `result`: whole rows of `x`, and a scale and a shift for each column.
    pub(crate) fn affine(x: &[f32], scale: &[f32], shift: &[f32], result: &mut [f32]) {
        let columns = scale.len();
        let rows = x.chunks_exact(columns).zip(result.chunks_exact_mut(columns));
        for (x, result) in rows {
            let terms = x.iter().zip(scale).zip(shift);
            for (result, ((x, scale), shift)) in result.iter_mut().zip(terms) {
                *result = mul_add::<FMA>(*x, *scale, *shift);
            }
        }
    }
}

multiversion! {
    /// Adds the dot product of each column of `x` with that of `y` to `sums`: whole rows of both.
    pub(crate) fn add_products(x: &[f32], y: &[f32], sums: &mut [f32]) {
        let columns = sums.len();
        for (x, y) in x.chunks_exact(columns).zip(y.chunks_exact(columns)) {
            for (sum, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
                *sum = mul_add::<FMA>(*x, *y, *sum);
            }
        }
    }
}
