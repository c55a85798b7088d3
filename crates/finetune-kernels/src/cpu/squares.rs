//! Sums of squares in f64, in an order that depends on the length alone.

use rayon::prelude::*;

use super::multiversion::multiversion;

/// Number of elements that a thread processes at a time.
const CHUNK: usize = 1 << 14;
/// Number of parallel sums: four of the widest vectors, to hide the latency of additions.
const LANES: usize = 32;

/// Sums the squares of any number of values, on all threads.
pub(crate) fn sum_of_squares(values: &[f32]) -> f64 {
    let sums: Vec<f64> = values.par_chunks(CHUNK).map(of_few).collect();
    sums.into_iter().sum()
}

multiversion! {
    /// Sums the squares of a few values, on one thread.
    pub(crate) fn of_few(values: &[f32]) -> f64 {
        let mut sums = [0.0; LANES];
        let (pieces, rest) = values.as_chunks::<LANES>();
        for piece in pieces {
            add_each(&mut sums, piece);
        }
        add_each(&mut sums, rest);
        sums.into_iter().sum()
    }
}

multiversion! {
    /// Adds the square of each value to the sum of its column.
    pub(crate) fn add_to(sums: &mut [f64], values: &[f32]) {
        add_each(sums, values);
    }
}

#[inline(always)]
fn add_each(sums: &mut [f64], values: &[f32]) {
    for (sum, &value) in sums.iter_mut().zip(values) {
        *sum += f64::from(value) * f64::from(value);
    }
}
