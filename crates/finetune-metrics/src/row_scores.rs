//! A model's prediction for each row, to score any sample of rows in the bootstrap and paired tests.

use finetune_task::Targets;

use crate::bootstrap::{Bootstrap, Interval};
use crate::confusion::ConfusionMatrix;
use crate::error::MetricError;
use crate::label_counts::LabelCounts;
use crate::multi_label::DEFAULT_THRESHOLD;
use crate::name::Metric;
use crate::predictions::Predictions;
use crate::regression::Regression;
use crate::scores::ratio;
use crate::softmax::{argmax, sigmoid};

/// The target and the prediction of each row.
#[derive(Clone, Debug)]
pub struct RowScores(Rows);

#[derive(Clone, Debug)]
enum Rows {
    /// `(target, prediction)` of each row, `[rows]`.
    Classes {
        classes: usize,
        pairs: Vec<(u32, u32)>,
    },
    /// `(predicted, present)` of each label, `[rows, classes]`.
    Labels {
        classes: usize,
        marks: Vec<(bool, bool)>,
    },
    /// `(target, prediction)` of each output, `[rows, outputs]`.
    Values {
        outputs: usize,
        pairs: Vec<(f64, f32)>,
    },
}

impl RowScores {
    /// Orders predictions by `rows`, the row index of each prediction, in which every index below their
    /// number occurs once. `thresholds` are those of a multi-label model, 0.5 by default.
    ///
    /// # Errors
    /// Fails with [`MetricError::PairedRows`] if the numbers of `rows` and predictions differ.
    pub fn new(
        predictions: &Predictions<'_>,
        thresholds: &[f64],
        rows: &[u64],
    ) -> Result<Self, MetricError> {
        if rows.len() != predictions.rows() {
            return Err(MetricError::PairedRows {
                a: predictions.rows(),
                b: rows.len(),
            });
        }
        let outputs = predictions.outputs();
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|&index| rows[index]);
        let logits: Vec<&[f32]> = predictions.iter().collect();
        let of_row = |index: usize| index * outputs..(index + 1) * outputs;
        Ok(Self(match predictions.targets() {
            Targets::Classes(targets) => {
                let pair = |&index: &usize| {
                    let prediction = argmax(logits[index]).unwrap_or(0);
                    (targets[index], prediction as u32)
                };
                Rows::Classes {
                    classes: outputs,
                    pairs: order.iter().map(pair).collect(),
                }
            }
            Targets::MultiLabel(targets) => {
                let threshold =
                    |class: usize| thresholds.get(class).copied().unwrap_or(DEFAULT_THRESHOLD);
                let marks = |&index: &usize| {
                    let row = logits[index].iter().enumerate();
                    let predicted = row.map(|(class, &logit)| sigmoid(logit) >= threshold(class));
                    let present = targets[of_row(index)].iter().copied();
                    predicted.zip(present).collect::<Vec<_>>()
                };
                Rows::Labels {
                    classes: outputs,
                    marks: order.iter().flat_map(marks).collect(),
                }
            }
            Targets::Values(targets) => {
                let pairs = |&index: &usize| {
                    let targets = targets[of_row(index)].iter().copied();
                    targets
                        .zip(logits[index].iter().copied())
                        .collect::<Vec<_>>()
                };
                Rows::Values {
                    outputs,
                    pairs: order.iter().flat_map(pairs).collect(),
                }
            }
        }))
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> u32 {
        let rows = match &self.0 {
            Rows::Classes { pairs, .. } => pairs.len(),
            Rows::Labels { classes, marks } => marks.len() / (*classes).max(1),
            Rows::Values { outputs, pairs } => pairs.len() / (*outputs).max(1),
        };
        u32::try_from(rows).unwrap_or(u32::MAX)
    }

    /// Lists the metrics that [`score`](Self::score) supports, those that can be computed quickly for a
    /// sample of rows, with the most informative first.
    pub fn metrics(&self) -> &'static [Metric] {
        match &self.0 {
            Rows::Classes { .. } => &[Metric::Accuracy, Metric::F1Macro],
            Rows::Labels { .. } => &[Metric::F1Micro, Metric::F1Macro, Metric::SubsetAccuracy],
            Rows::Values { .. } => &[Metric::Pearson, Metric::Mse, Metric::Mae],
        }
    }

    /// Computes a metric over these rows, which may be repeated; NaN if the metric is undefined or not
    /// among [`metrics`](Self::metrics).
    pub fn score(&self, metric: Metric, rows: &[u32]) -> f64 {
        let rows = rows.iter().map(|&row| row as usize);
        match &self.0 {
            Rows::Classes { classes, pairs } => {
                let mut matrix = ConfusionMatrix::new(*classes);
                for row in rows {
                    let (target, prediction) = pairs[row];
                    // This cannot fail: the classes were checked when the predictions were created.
                    let _ = matrix.update(target as usize, prediction as usize);
                }
                match metric {
                    Metric::Accuracy => matrix.accuracy(),
                    Metric::F1Macro => matrix.macro_average().f1,
                    _ => f64::NAN,
                }
            }
            Rows::Labels { classes, marks } => {
                let mut counts = LabelCounts::new(*classes);
                for row in rows {
                    counts.update(marks[row * classes..(row + 1) * classes].iter().copied());
                }
                let counts = counts.finish();
                match metric {
                    Metric::F1Micro => counts.micro_average().f1,
                    Metric::F1Macro => counts.macro_average().f1,
                    Metric::SubsetAccuracy => ratio(counts.exact as f64, counts.rows as f64),
                    _ => f64::NAN,
                }
            }
            Rows::Values { outputs, pairs } => {
                let mut all = vec![Regression::new(); *outputs];
                for row in rows {
                    let row = &pairs[row * outputs..(row + 1) * outputs];
                    for (output, &(target, prediction)) in all.iter_mut().zip(row) {
                        output.update(target, prediction.into());
                    }
                }
                let score = |output: &Regression| match metric {
                    Metric::Pearson => output.pearson(),
                    Metric::Mse => output.mse(),
                    Metric::Mae => output.mae(),
                    _ => f64::NAN,
                };
                all.iter().map(score).sum::<f64>() / all.len() as f64
            }
        }
    }

    /// Returns whether each row is predicted correctly (with all of its labels); `None` for regression,
    /// where no value is exactly right.
    pub fn correct(&self) -> Option<Vec<bool>> {
        match &self.0 {
            Rows::Classes { pairs, .. } => Some(pairs.iter().map(|(a, b)| a == b).collect()),
            Rows::Labels { classes, marks } => {
                let rows = marks.chunks_exact((*classes).max(1));
                Some(rows.map(|row| row.iter().all(|(a, b)| a == b)).collect())
            }
            Rows::Values { .. } => None,
        }
    }

    /// Computes the bootstrap's confidence interval of a metric.
    ///
    /// # Errors
    /// Fails under the same conditions as [`Bootstrap::interval_of_rows`].
    pub fn interval(&self, metric: Metric, bootstrap: &Bootstrap) -> Result<Interval, MetricError> {
        bootstrap.interval_of_rows(self.rows(), |rows| self.score(metric, rows))
    }

    /// Computes the paired bootstrap's confidence interval of the amount by which a metric is larger for
    /// `other` on the same rows.
    ///
    /// # Errors
    /// Fails with [`MetricError::PairedRows`] if the numbers of rows differ, and under the conditions of
    /// [`Bootstrap::interval_of_rows`].
    pub fn interval_of_change(
        &self,
        other: &Self,
        metric: Metric,
        bootstrap: &Bootstrap,
    ) -> Result<Interval, MetricError> {
        if self.rows() != other.rows() {
            return Err(MetricError::PairedRows {
                a: self.rows() as usize,
                b: other.rows() as usize,
            });
        }
        bootstrap.interval_of_rows(self.rows(), |rows| {
            other.score(metric, rows) - self.score(metric, rows)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClassificationAccumulator, MultiLabelAccumulator, RegressionAccumulator};

    const LOGITS: [[f32; 2]; 5] = [[2.0, -1.0], [0.3, 0.4], [-1.0, 0.5], [0.9, 0.2], [0.1, 0.2]];

    fn names() -> Vec<String> {
        vec!["a".into(), "b".into()]
    }

    /// Over all rows, the scores equal those of the summaries, in whatever order the rows came.
    #[test]
    fn all_rows_score_as_the_summary() {
        let order = [3, 0, 4, 1, 2];
        let all: Vec<u32> = (0..5).collect();
        let classes = [0, 1, 0, 1, 1];
        let marks = [
            [1.0, 0.0],
            [0.0, 1.0],
            [0.0, 0.0],
            [1.0, 1.0],
            [0.0, 1.0_f64],
        ];

        let mut single = ClassificationAccumulator::new(names());
        let mut multi = MultiLabelAccumulator::new(names());
        multi.set_thresholds(&[0.6, 0.55]).unwrap();
        let mut values = RegressionAccumulator::new(2);
        for ((logits, class), marks) in LOGITS.iter().zip(classes).zip(&marks) {
            single.update(logits, class, 0.0).unwrap();
            multi
                .update(logits, &marks.map(|mark| mark == 1.0), 0.0)
                .unwrap();
            values.update(logits, marks, 0.0).unwrap();
        }
        let scores = RowScores::new(&single.predictions(), &[], &order).unwrap();
        let summary = single.summary();
        for &metric in scores.metrics() {
            assert_eq!(scores.score(metric, &all), summary.get(metric).unwrap());
        }
        // The first prediction is row 3.
        let correct = scores.correct().unwrap();
        assert_eq!(single.correct(), order.map(|row| correct[row as usize]));

        let scores = RowScores::new(&multi.predictions(), &[0.6, 0.55], &order).unwrap();
        let summary = multi.summary();
        for &metric in scores.metrics() {
            assert_eq!(scores.score(metric, &all), summary.get(metric).unwrap());
        }
        let exact = scores.correct().unwrap().into_iter().filter(|&right| right);
        assert_eq!(exact.count() as f64 / 5.0, summary.subset_accuracy);

        let scores = RowScores::new(&values.predictions(), &[], &order).unwrap();
        let summary = values.summary();
        for &metric in scores.metrics() {
            let difference = scores.score(metric, &all) - summary.get(metric).unwrap();
            assert!(difference.abs() < 1e-12, "{metric}");
        }
        assert_eq!(scores.correct(), None);
        let bootstrap = Bootstrap::default();
        let change = scores.interval_of_change(&scores, Metric::Mse, &bootstrap);
        assert_eq!(
            change.map(|change| (change.low, change.high)),
            Ok((0.0, 0.0))
        );
    }

    #[test]
    fn rows_must_be_as_many() {
        let predictions = Predictions::new(&[0.0, 1.0], 2, Targets::Classes(&[0])).unwrap();
        assert!(RowScores::new(&predictions, &[], &[0, 1]).is_err());
    }
}
