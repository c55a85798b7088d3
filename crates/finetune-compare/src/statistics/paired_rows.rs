//! Paired tests on the same rows.

use finetune_metrics::{Bootstrap, Metric, MetricError, RowScores, mcnemar};
use serde::Serialize;

/// Maximum number of rows times resamples of the bootstrap. With many rows, the interval is narrow even with
/// fewer resamples.
const WORK: f64 = 2e8;

/// A test of a difference on the same rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PairedRows {
    /// The test.
    pub method: RowMethod,
    /// Number of rows.
    pub rows: u32,
    /// Number of seeds over whose mean the test is done.
    pub seeds: usize,
    /// Lower end of the 95 % interval of the difference, by the bootstrap over rows.
    pub low: f64,
    /// Upper end of that interval.
    pub high: f64,
    /// Two-sided p-value.
    pub p_value: f64,
}

/// The tests on rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowMethod {
    /// McNemar's test of the rows that only one of the two predicts correctly.
    McNemar,
    /// The paired bootstrap of the metric.
    Bootstrap,
}

impl PairedRows {
    /// Tests whether a metric differs between pairs of models, one pair per seed, all on the same rows:
    /// McNemar's test for the accuracy of one pair, otherwise the paired bootstrap of the mean over the seeds.
    /// It draws rows only, so it says how far other rows of the same kind could change the difference of these
    /// very models, and nothing of other seeds. `None` without a pair, or if the metric cannot be computed row
    /// by row or is undefined.
    ///
    /// # Errors
    /// Fails if two models have different numbers of rows.
    pub fn of(
        metric: Metric,
        pairs: &[(&RowScores, &RowScores)],
    ) -> Result<Option<Self>, MetricError> {
        let Some((first, _)) = pairs.first() else {
            return Ok(None);
        };
        let rows = first.rows();
        for scores in pairs.iter().flat_map(|(first, other)| [first, other]) {
            if scores.rows() != rows {
                return Err(MetricError::PairedRows {
                    a: rows as usize,
                    b: scores.rows() as usize,
                });
            }
        }
        if rows == 0 || !first.metrics().contains(&metric) {
            return Ok(None);
        }
        let default = Bootstrap::default();
        let affordable = WORK / f64::from(rows) / (2 * pairs.len()) as f64;
        let bootstrap = Bootstrap {
            resamples: default.resamples.min((affordable as usize).max(100)),
            ..default
        };
        let mut differences = Vec::with_capacity(bootstrap.resamples);
        let interval = bootstrap.interval_of_rows(rows, |drawn| {
            let changes = pairs
                .iter()
                .map(|(first, other)| other.score(metric, drawn) - first.score(metric, drawn));
            let difference = changes.sum::<f64>() / pairs.len() as f64;
            differences.push(difference);
            difference
        })?;
        if !interval.low.is_finite() {
            return Ok(None);
        }
        let (method, p_value) = match correct(metric, pairs) {
            Some((first, other)) => (RowMethod::McNemar, mcnemar(&first, &other)?.p_value),
            None => (RowMethod::Bootstrap, bootstrap_p(&differences)),
        };
        Ok(Some(Self {
            method,
            rows,
            seeds: pairs.len(),
            low: interval.low,
            high: interval.high,
            p_value,
        }))
    }
}

/// Which rows each of a single pair predicts correctly, if their share is the metric.
fn correct(metric: Metric, pairs: &[(&RowScores, &RowScores)]) -> Option<(Vec<bool>, Vec<bool>)> {
    let is_share = matches!(metric, Metric::Accuracy | Metric::SubsetAccuracy);
    match pairs {
        [(first, other)] if is_share => first.correct().zip(other.correct()),
        _ => None,
    }
}

/// The two-sided p-value of resampled differences. The observed rows count as one resample, so that it is never
/// 0 (Davison and Hinkley, 1997).
fn bootstrap_p(differences: &[f64]) -> f64 {
    let share = |count: usize| (count + 1) as f64 / (differences.len() + 1) as f64;
    let below = differences
        .iter()
        .filter(|&&difference| difference <= 0.0)
        .count();
    let above = differences
        .iter()
        .filter(|&&difference| difference >= 0.0)
        .count();
    (2.0 * share(below.min(above))).min(1.0)
}

#[cfg(test)]
mod tests {
    use finetune_metrics::{Predictions, Targets};

    use super::*;

    /// The scores of a model that is wrong on every row whose number `wrong` accepts.
    fn scores(rows: u32, wrong: impl Fn(u32) -> bool) -> RowScores {
        let targets: Vec<u32> = (0..rows).map(|row| row % 2).collect();
        let logits = (0..rows).flat_map(|row| match (row % 2 == 1) != wrong(row) {
            true => [0.0, 1.0],
            false => [1.0, 0.0],
        });
        let logits: Vec<f32> = logits.collect();
        let predictions = Predictions::new(&logits, 2, Targets::Classes(&targets)).unwrap();
        let numbers: Vec<u64> = (0..rows.into()).collect();
        RowScores::new(&predictions, &[], &numbers).unwrap()
    }

    #[test]
    fn one_pair_is_tested_by_mcnemar_and_several_by_the_bootstrap() {
        let worse = scores(200, |row| row % 5 == 0);
        let better = scores(200, |row| row % 20 == 0);
        let test = |pairs: &[(&RowScores, &RowScores)]| {
            PairedRows::of(Metric::Accuracy, pairs).unwrap().unwrap()
        };
        let one = test(&[(&worse, &better)]);
        assert_eq!(
            (one.method, one.rows, one.seeds),
            (RowMethod::McNemar, 200, 1)
        );
        assert!(one.p_value < 1e-6 && one.low > 0.0, "{one:?}");
        let two = test(&[(&worse, &better), (&worse, &better)]);
        assert_eq!((two.method, two.seeds), (RowMethod::Bootstrap, 2));
        assert!(two.p_value < 0.01 && two.low > 0.0, "{two:?}");
        assert_eq!(two, test(&[(&worse, &better), (&worse, &better)]));
        let same = test(&[(&worse, &worse), (&better, &better)]);
        assert_eq!((same.p_value, same.low, same.high), (1.0, 0.0, 0.0));
    }

    #[test]
    fn what_cannot_be_tested_is_left_out() {
        let (a, b) = (scores(20, |_| false), scores(10, |_| false));
        assert!(PairedRows::of(Metric::Accuracy, &[(&a, &b)]).is_err());
        assert_eq!(PairedRows::of(Metric::RocAuc, &[(&a, &a)]).unwrap(), None);
        assert_eq!(PairedRows::of(Metric::Accuracy, &[]).unwrap(), None);
    }
}
