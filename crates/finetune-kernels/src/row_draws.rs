//! Random numbers that belong to a row of a data set.

use crate::random::philox4x32_10;

/// Set in the last word of a counter, which holds the site of dropout or the stream of new weights
/// otherwise: neither is that large, so the draws never coincide with others of the same seed.
const OF_ROWS: u32 = 1 << 31;

/// Random numbers as a pure function of (seed, epoch, row), so that a resumed run draws what it would
/// have drawn, whatever came before the row.
#[derive(Clone, Debug)]
pub struct RowDraws {
    key: [u32; 2],
    counter: [u32; 4],
    /// Random words, of which the first `used` are used up.
    words: [u32; 4],
    used: usize,
}

impl RowDraws {
    /// Starts the numbers of a row.
    pub fn new(seed: u64, epoch: u32, row: u64) -> Self {
        Self {
            key: [seed as u32, (seed >> 32) as u32],
            counter: [row as u32, (row >> 32) as u32, epoch, OF_ROWS],
            words: [0; 4],
            used: 4,
        }
    }

    /// Draws from the uniform distribution over [0, 1).
    pub fn unit(&mut self) -> f64 {
        f64::from(self.word()) / 2_f64.powi(32)
    }

    /// Draws from `0..bound`, each with the same probability up to `bound / 2³²`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u64::from(self.word()) * bound as u64) >> 32) as usize
    }

    fn word(&mut self) -> u32 {
        if self.used == self.words.len() {
            self.words = philox4x32_10(self.counter, self.key);
            self.counter[3] = self.counter[3].wrapping_add(1) | OF_ROWS;
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(seed: u64, epoch: u32, row: u64) -> Vec<usize> {
        let mut draws = RowDraws::new(seed, epoch, row);
        (0..9).map(|_| draws.below(1 << 20)).collect()
    }

    /// The numbers from which existing runs have drawn.
    #[test]
    fn numbers_are_a_function_of_seed_epoch_and_row() {
        let first = draws(7, 2, 1 << 33);
        assert_eq!(draws(7, 2, 1 << 33), first);
        for other in [draws(8, 2, 1 << 33), draws(7, 3, 1 << 33), draws(7, 2, 0)] {
            assert!(other.iter().zip(&first).all(|(a, b)| a != b), "{other:?}");
        }
        let words = philox4x32_10([0, 2, 2, OF_ROWS], [7, 0]);
        let next = philox4x32_10([0, 2, 2, OF_ROWS + 1], [7, 0]);
        let expected = words.iter().chain(&next[..1]).map(|word| word >> 12);
        assert!(first.iter().zip(expected).all(|(a, b)| *a == b as usize));
    }

    #[test]
    fn numbers_are_uniform() {
        let mut draws = RowDraws::new(1, 0, 0);
        let mut counts = [0u32; 10];
        let mut sum = 0.0;
        for _ in 0..100_000 {
            counts[draws.below(10)] += 1;
            sum += draws.unit();
        }
        assert!(
            counts.iter().all(|&count| count.abs_diff(10_000) < 400),
            "{counts:?}"
        );
        assert!((sum / 100_000.0 - 0.5).abs() < 5e-3, "{sum}");
        assert_eq!(draws.below(0), 0);
    }
}
