//! Stateless dropout: whether an element is kept is a function of its position and of the step.

use rayon::prelude::*;

use crate::{
    cpu::dropout::{self, Draws},
    random::Site,
};

/// The dropout of one training step. Every [`Dropout`] made from it is a pure function of
/// (seed, step, site, element), so a resumed run draws the same masks without saving a generator's
/// state, and a backward pass can draw a mask again instead of keeping it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropoutSource(Option<(u64, u32)>);

impl DropoutSource {
    /// No dropout at all, for evaluation and prediction.
    pub const OFF: Self = Self(None);

    /// Creates the dropout of training step `step` (which counts every forward pass) in a run with this
    /// seed.
    pub fn at(seed: u64, step: u32) -> Self {
        Self(Some((seed, step)))
    }

    /// Returns the dropout with `probability` at one site of the model.
    pub fn site(self, site: Site, probability: f64) -> Dropout {
        match self.0 {
            Some((seed, step)) if probability > 0.0 => Dropout {
                probability,
                seed,
                step,
                site,
            },
            _ => Dropout::NONE,
        }
    }
}

/// Dropout at one site of the model in one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    probability: f64,
    seed: u64,
    step: u32,
    site: Site,
}

impl Dropout {
    /// Keeps everything.
    pub const NONE: Self = Self {
        probability: 0.0,
        seed: 0,
        step: 0,
        site: Site::EMBEDDINGS,
    };

    /// Returns whether nothing is dropped.
    pub fn is_none(&self) -> bool {
        self.probability <= 0.0
    }

    /// Returns the factor of kept elements, `1 / (1 - probability)`.
    pub fn scale(&self) -> f32 {
        (1.0 / (1.0 - self.probability)) as f32
    }

    /// Returns the parameters from which the factor of each element follows.
    pub(crate) fn draws(&self) -> Draws {
        Draws {
            key: [self.seed as u32, (self.seed >> 32) as u32],
            place: [self.step, self.site.0],
            threshold: (self.probability * f64::from(u32::MAX)) as u32,
            scale: self.scale(),
        }
    }

    /// Computes the factors, 0 or [`scale`](Self::scale), of elements `0..len`.
    pub fn factors(&self, len: usize) -> Vec<f32> {
        const CHUNK: usize = 4096;
        let mut factors = vec![0.0; len];
        factors
            .par_chunks_mut(CHUNK)
            .enumerate()
            .for_each(|(chunk, factors)| self.fill((chunk * CHUNK) as u64, factors));
        factors
    }

    /// Writes the factors of the elements starting at `first`.
    pub fn fill(&self, first: u64, factors: &mut [f32]) {
        dropout::fill(self.draws(), first, factors);
    }

    /// Multiplies the elements starting at `first` by their factors.
    pub fn multiply(&self, first: u64, values: &mut [f32]) {
        dropout::multiply(self.draws(), first, values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_the_stated_share_and_keeps_the_mean() {
        let factors = DropoutSource::at(7, 3)
            .site(Site(2), 0.1)
            .factors(1_000_000);
        let dropped = factors.iter().filter(|&&factor| factor == 0.0).count();
        assert!((dropped as f64 / 1e6 - 0.1).abs() < 2e-3, "{dropped}");
        let mean = factors.iter().map(|&factor| f64::from(factor)).sum::<f64>() / 1e6;
        assert!((mean - 1.0).abs() < 2e-3, "{mean}");
    }

    #[test]
    fn any_part_can_be_drawn_alone() {
        let dropout = DropoutSource::at(1, 2).site(Site(3), 0.3);
        let whole = dropout.factors(10_001);
        for first in 8_000..8_005 {
            let mut part = vec![0.0; 501];
            dropout.fill(first as u64, &mut part);
            assert_eq!(part, whole[first..first + 501]);
        }
    }

    #[test]
    fn seeds_steps_and_sites_differ() {
        let base = DropoutSource::at(1, 2).site(Site(3), 0.5).factors(256);
        for other in [
            DropoutSource::at(2, 2).site(Site(3), 0.5),
            DropoutSource::at(1, 3).site(Site(3), 0.5),
            DropoutSource::at(1, 2).site(Site(4), 0.5),
        ] {
            assert_ne!(base, other.factors(256));
        }
        assert!(DropoutSource::OFF.site(Site(1), 0.5).is_none());
    }
}
