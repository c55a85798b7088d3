//! A Halton sequence with random permutations of its digits (A. B. Owen, "A randomized Halton algorithm in R",
//! 2017). Without them the higher dimensions move in step.

use super::uniform::uniform;

/// A scrambled Halton sequence.
pub(super) struct Halton {
    /// The base of each dimension with a permutation for each place of its digits.
    dimensions: Vec<(u64, Vec<Vec<u64>>)>,
}

impl Halton {
    pub(super) fn new(seed: u64, dimensions: usize) -> Self {
        let primes = (2..).filter(|number| (2..*number).all(|factor| number % factor != 0));
        let scrambled = |base: u64| {
            // Digits beyond the precision of a number do not count.
            let places = (53.0 / (base as f64).log2()).ceil() as u64;
            (
                base,
                (0..places)
                    .map(|place| permutation(seed, base, place))
                    .collect(),
            )
        };
        Self {
            dimensions: primes.take(dimensions).map(scrambled).collect(),
        }
    }

    /// Returns a coordinate of a point, from 0 up to, but not including, 1.
    pub(super) fn point(&self, number: u64, dimension: usize) -> f64 {
        let (base, permutations) = &self.dimensions[dimension];
        let mut left = number;
        let mut scale = 1.0;
        let mut point = 0.0;
        for permutation in permutations {
            scale /= *base as f64;
            point += scale * permutation[(left % base) as usize] as f64;
            left /= base;
        }
        // The sum of all digits rounds up to 1.
        point.min(1.0 - f64::EPSILON)
    }
}

/// The digits of a base in random order.
fn permutation(seed: u64, base: u64, place: u64) -> Vec<u64> {
    let mut digits: Vec<u64> = (0..base).collect();
    let stream = format!("halton {base} {place}");
    digits.sort_by(|a, b| uniform(seed, &stream, *a).total_cmp(&uniform(seed, &stream, *b)));
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the first b^k points, each interval of length b^-k has one.
    #[test]
    fn points_cover_each_dimension_evenly() {
        let halton = Halton::new(3, 8);
        for (dimension, points) in [(0, 64), (1, 81), (2, 25), (7, 19)] {
            let mut counts = vec![0; points];
            for number in 0..points as u64 {
                counts[(halton.point(number, dimension) * points as f64) as usize] += 1;
            }
            assert_eq!(counts, vec![1; points], "dimension {dimension}");
        }
    }

    /// Plain Halton points of the seventh and eighth dimension lie on lines.
    #[test]
    fn high_dimensions_do_not_move_in_step() {
        let halton = Halton::new(1, 8);
        let product = |number| (halton.point(number, 6) - 0.5) * (halton.point(number, 7) - 0.5);
        let correlation = 12.0 * (0..17).map(product).sum::<f64>() / 17.0;
        assert!(correlation.abs() < 0.5, "{correlation}");
    }
}
