//! The bootstrap: the uncertainty of a score that stems from the choice of rows.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rand_distr::{Binomial, Distribution};
use serde::Serialize;

use crate::confusion::ConfusionMatrix;
use crate::error::MetricError;

/// The percentile bootstrap (Efron, 1979), as `scipy.stats.bootstrap(method="percentile")`, for a score
/// that follows from a confusion matrix ([`interval`](Self::interval)), or for any score of rows, such
/// as the difference between two models ([`interval_of_rows`](Self::interval_of_rows)).
///
/// For a matrix, drawing rows with replacement and counting them is the same as drawing the counts from
/// a multinomial distribution. So a resample costs a binomial draw per occurring (target, prediction)
/// pair, whatever the number of rows. The result depends on the matrix and the options alone.
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
    /// Seed of the resamples.
    pub seed: u64,
}

impl Default for Bootstrap {
    /// Returns 1000 resamples at 95 % with seed 0.
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
    /// Computes the confidence interval of `score`; NaN if the matrix has no rows or the score is NaN
    /// in a resample.
    ///
    /// # Errors
    /// Fails with [`MetricError::BootstrapOptions`] if there are no resamples or the level is outside
    /// (0, 1).
    pub fn interval(
        &self,
        matrix: &ConfusionMatrix,
        score: impl Fn(&ConfusionMatrix) -> f64,
    ) -> Result<Interval, MetricError> {
        let mut resample = matrix.clone();
        self.percentiles(matrix.rows(), |random| {
            resample_counts(matrix.counts(), resample.counts_mut(), random);
            score(&resample)
        })
    }

    /// Computes the confidence interval of a score of `rows` rows. `score` gets the `rows` indices that
    /// were drawn, each from 0 to `rows - 1`. The interval is NaN without rows or if the score is NaN
    /// in a resample.
    ///
    /// ```
    /// use finetune_metrics::Bootstrap;
    ///
    /// // Squared errors of two models on the same rows.
    /// let (a, b) = ([1.0, 4.0, 2.0, 3.0, 2.5], [0.5, 3.0, 2.0, 2.0, 2.5]);
    /// let difference = Bootstrap::default().interval_of_rows(a.len() as u32, |rows| {
    ///     let change = rows.iter().map(|&row| b[row as usize] - a[row as usize]);
    ///     change.sum::<f64>() / rows.len() as f64
    /// })?;
    /// assert!(difference.high <= 0.0, "B is better, whatever rows are drawn");
    /// # Ok::<(), finetune_metrics::MetricError>(())
    /// ```
    ///
    /// # Errors
    /// Fails under the same conditions as [`interval`](Self::interval).
    pub fn interval_of_rows(
        &self,
        rows: u32,
        mut score: impl FnMut(&[u32]) -> f64,
    ) -> Result<Interval, MetricError> {
        let mut drawn = vec![0; rows as usize];
        self.percentiles(rows.into(), |random| {
            drawn.fill_with(|| random.random_range(0..rows));
            score(&drawn)
        })
    }

    /// Computes the percentiles of `score` over the resamples of `rows` rows.
    fn percentiles(
        &self,
        rows: u64,
        mut score: impl FnMut(&mut Xoshiro256PlusPlus) -> f64,
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
        if rows == 0 {
            return Ok(undefined);
        }
        let mut random = Xoshiro256PlusPlus::seed_from_u64(self.seed);
        let mut scores: Vec<f64> = (0..resamples).map(|_| score(&mut random)).collect();
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

/// Draws as many rows as `counts` has, with replacement: each cell takes its binomial share of the rows
/// left over by the cells before it.
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

/// Interpolates linearly between the sorted values, like `numpy.quantile`.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let below = sorted[position.floor() as usize];
    let above = sorted[position.ceil() as usize];
    below + (above - below) * position.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Drawing rows and drawing counts of a confusion matrix agree up to chance.
    #[test]
    fn rows_and_matrices_agree() {
        let mut matrix = ConfusionMatrix::new(2);
        let mut correct = Vec::new();
        for row in 0..400 {
            let prediction = if row % 4 == 0 { 1 } else { 0 };
            matrix.update(0, prediction).unwrap();
            correct.push(prediction == 0);
        }
        let bootstrap = Bootstrap {
            resamples: 4000,
            ..Bootstrap::default()
        };
        let counts = bootstrap
            .interval(&matrix, ConfusionMatrix::accuracy)
            .unwrap();
        let rows = bootstrap
            .interval_of_rows(400, |rows| {
                let hits = rows.iter().filter(|&&row| correct[row as usize]).count();
                hits as f64 / rows.len() as f64
            })
            .unwrap();
        assert!((counts.low - rows.low).abs() < 0.005, "{counts:?} {rows:?}");
        assert!((counts.high - rows.high).abs() < 0.005);
        // The normal approximation for the same proportion.
        let deviation = 1.96 * (0.75 * 0.25 / 400.0_f64).sqrt();
        assert!((rows.low - (0.75 - deviation)).abs() < 0.006);
        assert!((rows.high - (0.75 + deviation)).abs() < 0.006);
    }

    #[test]
    fn no_rows_have_no_interval() {
        let interval = Bootstrap::default().interval_of_rows(0, |_| 1.0).unwrap();
        assert!(interval.low.is_nan() && interval.high.is_nan());
    }
}
