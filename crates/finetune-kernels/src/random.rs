//! Counter-based random numbers: no state, the same on every platform.

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
pub(crate) fn philox4x32_10(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    let multiply = |a: u32, b: u32| {
        let product = u64::from(a) * u64::from(b);
        ((product >> 32) as u32, product as u32)
    };
    for _ in 0..10 {
        let (high0, low0) = multiply(0xD251_1F53, counter[0]);
        let (high1, low1) = multiply(0xCD9E_8D57, counter[2]);
        counter = [
            high1 ^ counter[1] ^ key[0],
            low1,
            high0 ^ counter[3] ^ key[1],
            low0,
        ];
        key = [
            key[0].wrapping_add(0x9E37_79B9),
            key[1].wrapping_add(0xBB67_AE85),
        ];
    }
    counter
}

/// `len` draws from a normal distribution with mean 0, as a pure function of (seed, stream):
/// fresh weights. Box-Muller on pairs of uniform numbers.
pub fn normal(seed: u64, stream: u32, len: usize, standard_deviation: f64) -> Vec<f32> {
    draw(seed, stream, len, |bits| {
        let pair = |first: u32, second: u32| {
            let radius = (-2.0 * unit(first).ln()).sqrt();
            let (sine, cosine) = (std::f64::consts::TAU * unit(second)).sin_cos();
            [radius * cosine, radius * sine]
        };
        let ([a, b], [c, d]) = (pair(bits[0], bits[1]), pair(bits[2], bits[3]));
        [a, b, c, d].map(|value| (standard_deviation * value) as f32)
    })
}

/// `len` draws from a uniform distribution over `low..=high`, as a pure function of (seed, stream).
pub fn uniform(seed: u64, stream: u32, len: usize, low: f64, high: f64) -> Vec<f32> {
    draw(seed, stream, len, |bits| {
        bits.map(|bits| (low + (high - low) * unit(bits)) as f32)
    })
}

/// In (0, 1], so that a logarithm is finite.
fn unit(bits: u32) -> f64 {
    (f64::from(bits) + 1.0) / (f64::from(u32::MAX) + 1.0)
}

/// Four values at a time from four random words.
fn draw(seed: u64, stream: u32, len: usize, four: impl Fn([u32; 4]) -> [f32; 4]) -> Vec<f32> {
    let key = [seed as u32, (seed >> 32) as u32];
    let mut values = Vec::with_capacity(len + 3);
    for block in 0..len.div_ceil(4) as u64 {
        // Dropout's counters end in (step, site): this marks another kind of use.
        let counter = [block as u32, (block >> 32) as u32, u32::MAX, stream];
        values.extend(four(philox4x32_10(counter, key)));
    }
    values.truncate(len);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers from the authors' Random123 library (`kat_vectors`).
    #[test]
    fn philox_matches_random123() {
        assert_eq!(
            philox4x32_10([0; 4], [0; 2]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        assert_eq!(
            philox4x32_10([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox4x32_10(
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0]
            ),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn normal_has_its_moments() {
        let values = normal(3, 1, 200_001, 0.02);
        assert_eq!(values.len(), 200_001);
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / 200_001.0;
        let square = values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / 200_001.0;
        assert!(mean.abs() < 2e-4, "{mean}");
        assert!((square.sqrt() - 0.02).abs() < 2e-4, "{}", square.sqrt());
        assert_ne!(normal(3, 2, 8, 1.0), normal(3, 1, 8, 1.0));
    }
}
