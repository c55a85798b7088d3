//! Pseudo-random permutations that are computed rather than stored.

use crate::{Error, Result};

/// A pseudo-random permutation of `0..len` that needs no memory: the image of each index is
/// computed on demand.
///
/// It is a balanced Feistel network of [`ROUNDS`](Self::ROUNDS) rounds over the smallest even
/// number of bits (at least 8) that holds `len`, iterated until the value falls inside `0..len`
/// again (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002). Round keys are derived
/// from `(seed, stream)` by SplitMix64. Nothing depends on the platform, the word size or a
/// library, so an order is the same everywhere and forever; the golden test pins it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permutation {
    len: u64,
    half_bits: u32,
    keys: [u64; Permutation::ROUNDS],
}

impl Permutation {
    /// Number of Feistel rounds.
    pub const ROUNDS: usize = 8;

    /// Creates the permutation of `0..len` for `(seed, stream)`. Streams separate the uses of one
    /// seed (an epoch, a class, a subsample).
    ///
    /// # Errors
    /// Fails if `len` exceeds 2^62.
    pub fn new(len: u64, seed: u64, stream: u64) -> Result<Self> {
        // 2^62 rows is beyond any file; above it the Feistel domain would not fit 64 bits.
        if len > 1 << 62 {
            return Err(Error::Sampler {
                message: format!("{len} rows are too many to shuffle"),
            });
        }
        let bits = 64 - len.saturating_sub(1).leading_zeros();
        let half_bits = bits.div_ceil(2).max(4);
        let mut state = mix64(seed ^ 0x6669_6e65_7475_6e65) ^ mix64(stream.wrapping_add(GOLDEN));
        let keys = std::array::from_fn(|_| {
            state = state.wrapping_add(GOLDEN);
            mix64(state)
        });
        Ok(Self {
            len,
            half_bits,
            keys,
        })
    }

    /// Returns the number of elements.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns the image of `index`, which must be below [`len`](Self::len); others map outside
    /// `0..len`.
    pub fn get(&self, index: u64) -> u64 {
        if index >= self.len {
            return index;
        }
        let mut value = self.round_trip(index);
        // The network permutes the power of two; following the cycle from inside `0..len` must lead
        // back inside, after fewer than 4 steps on average (more only when `len` is below 64).
        while value >= self.len {
            value = self.round_trip(value);
        }
        value
    }

    /// Iterates over all images in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.len).map(|index| self.get(index))
    }

    fn round_trip(&self, value: u64) -> u64 {
        let mask = (1u64 << self.half_bits) - 1;
        let (mut left, mut right) = (value >> self.half_bits, value & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (mix64(right ^ key) & mask));
        }
        (left << self.half_bits) | right
    }
}

/// 2^64 divided by the golden ratio: the increment of SplitMix64.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output function of SplitMix64 (Steele, Lea and Flood 2014).
pub(crate) fn mix64(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_index_once(len in 0u64..3000, seed: u64, stream: u64) {
            let mut seen: Vec<_> = Permutation::new(len, seed, stream).unwrap().iter().collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..len).collect::<Vec<_>>());
        }
    }

    /// Orders that released versions have produced; a change here breaks resuming.
    #[test]
    fn golden_orders() {
        let order = |len, seed, stream| {
            Permutation::new(len, seed, stream)
                .unwrap()
                .iter()
                .take(12)
                .collect::<Vec<_>>()
        };
        assert_eq!(order(12, 0, 0), GOLDEN_12);
        assert_eq!(order(1000, 42, 0), GOLDEN_1000);
        assert_eq!(order(1 << 40, 42, 3), GOLDEN_BIG);
    }
    const GOLDEN_12: [u64; 12] = [11, 7, 3, 2, 4, 9, 8, 6, 0, 10, 5, 1];
    const GOLDEN_1000: [u64; 12] = [912, 978, 269, 67, 889, 928, 41, 443, 33, 468, 607, 807];
    const GOLDEN_BIG: [u64; 12] = [
        1010469760357,
        806999278979,
        100736898344,
        516280360241,
        913704828997,
        388342672369,
        311211460169,
        745261138404,
        957993330781,
        409655093119,
        582529996799,
        99418209088,
    ];

    /// Every element is mapped to every position about equally often (chi-square, 19² degrees of
    /// freedom).
    #[test]
    fn places_are_uniform() {
        const N: u64 = 20;
        let trials = 20_000u64;
        let mut counts = [[0f64; N as usize]; N as usize];
        for seed in 0..trials {
            for (i, j) in Permutation::new(N, seed, 1).unwrap().iter().enumerate() {
                counts[i][j as usize] += 1.0;
            }
        }
        let expected = trials as f64 / N as f64;
        let chi2: f64 = counts
            .iter()
            .flatten()
            .map(|c| (c - expected).powi(2) / expected)
            .sum();
        // Mean 361, standard deviation 27.
        assert!((250.0..480.0).contains(&chi2), "chi-square {chi2}");
    }

    /// All 24 orders of 4 elements occur about equally often.
    #[test]
    fn orders_are_uniform() {
        let mut counts = std::collections::HashMap::new();
        for seed in 0..24_000 {
            *counts
                .entry(
                    Permutation::new(4, seed, 0)
                        .unwrap()
                        .iter()
                        .collect::<Vec<_>>(),
                )
                .or_insert(0u32) += 1;
        }
        assert_eq!(counts.len(), 24);
        let chi2: f64 = counts
            .values()
            .map(|&c| (f64::from(c) - 1000.0).powi(2) / 1000.0)
            .sum();
        assert!(chi2 < 60.0, "chi-square {chi2}");
    }
}
