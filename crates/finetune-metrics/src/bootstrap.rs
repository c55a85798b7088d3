//! How far a score might be off because the rows are only a sample: the bootstrap.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::{Binomial, Distribution};
use serde::Serialize;

use crate::confusion::ConfusionMatrix;
use crate::error::MetricError;

/// Percentile bootstrap (Efron, 1979) of any score that follows from a confusion matrix, as
/// `scipy.stats.bootstrap(method="percentile", paired=True)` over (target, prediction) pairs.
///
/// Drawing rows with replacement and counting them is the same as drawing the counts from a
/// multinomial distribution. So a resample costs a binomial draw per occurring (target, prediction)
/// pair, whatever the number of rows. The result depends on nothing but matrix and options.
///
/// ```
/// use finetune_metrics::{Bootstrap, ConfusionMatrix};
///
/// let mut matrix = ConfusionMatrix::new(2);
/// for row in 0..500 {
///     matrix.update(row % 2, if row % 5 == 0 { 0 } else { row % 2 })?;
/// }
/// let accuracy = Bootstrap::default().interval(&matrix, ConfusionMatrix::accuracy)?;
/// assert!(accuracy.low < 0.9 && 0.9 < accuracy.high);
/// let f1 = Bootstrap::default().interval(&matrix, |matrix| matrix.macro_average().f1)?;
/// println!("macro F1 between {:.3} and {:.3}", f1.low, f1.high);
/// # Ok::<(), finetune_metrics::MetricError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bootstrap {
    /// Number of resamples.
    pub resamples: usize,
    /// Confidence level, between 0 and 1.
    pub level: f64,
    /// Names the resamples.
    pub seed: u64,
}

impl Default for Bootstrap {
    /// 1000 resamples, 95 %, seed 0.
    fn default() -> Self {
        Self {
            resamples: 1000,
            level: 0.95,
            seed: 0,
        }
    }
}

/// A confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Bootstrap {
    /// The confidence interval of `score`; NaN where the matrix has no rows or the score is NaN in
    /// a resample.
    ///
    /// # Errors
    /// [`MetricError::BootstrapOptions`] without resamples, or with a level outside (0, 1).
    pub fn interval(
        &self,
        matrix: &ConfusionMatrix,
        score: impl Fn(&ConfusionMatrix) -> f64,
    ) -> Result<Interval, MetricError> {
        let Self {
            resamples, level, ..
        } = *self;
        if resamples == 0 || !(level > 0.0 && level < 1.0) {
            return Err(MetricError::BootstrapOptions { resamples, level });
        }
        let undefined = Interval {
            low: f64::NAN,
            high: f64::NAN,
        };
        if matrix.rows() == 0 {
            return Ok(undefined);
        }
        let mut random = Xoshiro256PlusPlus::seed_from_u64(self.seed);
        let mut resample = matrix.clone();
        let mut scores: Vec<f64> = (0..resamples)
            .map(|_| {
                resample_counts(matrix.counts(), resample.counts_mut(), &mut random);
                score(&resample)
            })
            .collect();
        if scores.iter().any(|score| score.is_nan()) {
            return Ok(undefined);
        }
        scores.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - level) / 2.0;
        Ok(Interval {
            low: quantile(&scores, tail),
            high: quantile(&scores, 1.0 - tail),
        })
    }
}

/// Draws as many rows as `counts` has, with replacement: each cell takes its binomial share of the
/// rows that the cells before it left.
fn resample_counts(counts: &[u64], into: &mut [u64], random: &mut Xoshiro256PlusPlus) {
    let mut rows: u64 = counts.iter().sum();
    let mut left = rows;
    for (&count, drawn) in counts.iter().zip(into) {
        *drawn = match () {
            () if count == 0 || left == 0 => 0,
            () if count == rows => left,
            () => Binomial::new(left, count as f64 / rows as f64)
                .map_or(0, |binomial| binomial.sample(random)),
        };
        rows -= count;
        left -= *drawn;
    }
}

/// Linear interpolation between the sorted values, as `numpy.quantile`.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let below = sorted[position.floor() as usize];
    let above = sorted[position.ceil() as usize];
    below + (above - below) * position.fract()
}
