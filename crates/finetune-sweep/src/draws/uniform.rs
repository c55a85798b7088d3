//! Random numbers by their place: draw `number` of `stream` is the same whatever else is drawn.

use sha2::{Digest, Sha256};

/// Returns a number from 0 up to, but not including, 1.
pub(super) fn uniform(seed: u64, stream: &str, number: u64) -> f64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(number.to_le_bytes());
    hash.update(stream.as_bytes());
    let hash = hash.finalize();
    let bits = hash
        .iter()
        .take(8)
        .fold(0, |bits, byte| bits << 8 | u64::from(*byte));
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_uniform_and_streams_independent() {
        let draw = |stream: &str| {
            (0..4_000)
                .map(|number| uniform(1, stream, number))
                .collect()
        };
        let (a, b): (Vec<f64>, Vec<f64>) = (draw("a"), draw("b"));
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        assert!((mean(&a) - 0.5).abs() < 0.02 && (mean(&b) - 0.5).abs() < 0.02);
        assert!(a.iter().all(|value| (0.0..1.0).contains(value)));
        let products: Vec<f64> = a
            .iter()
            .zip(&b)
            .map(|(a, b)| (a - 0.5) * (b - 0.5))
            .collect();
        assert!(mean(&products).abs() < 0.01, "{}", mean(&products));
    }
}
