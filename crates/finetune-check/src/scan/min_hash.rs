//! MinHash: a few numbers per text by which texts with many pairs of words in common are found.

use crate::scan::words::mix;

/// Number of bands. Texts that agree in any of them are compared.
pub(crate) const BANDS: usize = 24;
/// Minima in each band. Two texts that share a share `s` of their word pairs agree in a band with
/// probability `s⁴`, and in any of 24 bands with `1 - (1 - s⁴)²⁴`: 99.7 % for `s = 0.68` (a tenth of the
/// words changed), 1 in 4 million for `s = 0.01`.
const MINIMA: usize = 4;

/// The multipliers and increments of the hash functions.
pub(crate) struct MinHash {
    functions: [(u64, u64); BANDS * MINIMA],
}

impl MinHash {
    /// Creates the hash functions, which are the same everywhere.
    pub(crate) fn new() -> Self {
        let mut state = 0x6669_6e65_7475_6e65_u64;
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            mix(state)
        };
        Self {
            functions: std::array::from_fn(|_| (next() | 1, next())),
        }
    }

    /// Returns a key for each band of a text with these words. Texts with equal keys may be alike.
    pub(crate) fn bands(&self, words: &[u32]) -> [u32; BANDS] {
        let mut minima = [u32::MAX; BANDS * MINIMA];
        for pair in words.windows(2) {
            let shingle = mix(u64::from(pair[0]) << 32 | u64::from(pair[1]));
            for (least, (factor, increment)) in minima.iter_mut().zip(&self.functions) {
                let hash = (shingle.wrapping_mul(*factor).wrapping_add(*increment) >> 32) as u32;
                *least = hash.min(*least);
            }
        }
        std::array::from_fn(|band| {
            let minima = &minima[band * MINIMA..(band + 1) * MINIMA];
            let key = minima
                .iter()
                .fold(0, |key, minimum| mix(key ^ u64::from(*minimum)));
            key as u32
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts the bands in which two texts of `length` words agree that differ in every `nth` word.
    fn agreement(length: u32, nth: u32) -> usize {
        let hashes = MinHash::new();
        let one: Vec<u32> = (0..length).map(|word| mix(word.into()) as u32).collect();
        let changed = one
            .iter()
            .enumerate()
            .map(|(at, word)| match at as u32 % nth {
                0 => word ^ 1,
                _ => *word,
            });
        let other: Vec<u32> = changed.collect();
        let (a, b) = (hashes.bands(&one), hashes.bands(&other));
        a.iter().zip(&b).filter(|(a, b)| a == b).count()
    }

    #[test]
    fn texts_agree_by_the_share_of_their_pairs() {
        assert!(agreement(200, 1000) >= 18);
        let tenth = agreement(200, 10);
        assert!((1..=14).contains(&tenth), "{tenth}");
        assert_eq!(agreement(200, 1), 0);
    }
}
