//! The predictions for held-out rows: which rows to list, and what they say.

use std::collections::BTreeMap;

use finetune_metrics::{
    Bootstrap, ConfusionMatrix, DEFAULT_THRESHOLD, MetricError, Predictions, RowScores, argmax,
    sigmoid, softmax,
};
use finetune_task::{Labels, Targets, Task};

use crate::Measure;

/// The number of rows in each list.
pub(crate) const LISTED: usize = 20;
/// Draws of single values beyond which the bootstrap takes fewer resamples.
const MOST_DRAWS: usize = 100_000_000;
/// The least number of resamples.
const LEAST_RESAMPLES: usize = 200;

/// The predictions of a model for rows that were held out, in the order of the rows.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldOut {
    /// Name of the split.
    pub split: String,
    /// What is predicted.
    pub task: Task,
    /// Number of logits per row.
    pub outputs: usize,
    /// `[rows, outputs]` in row-major order.
    pub logits: Vec<f32>,
    /// The correct answers.
    pub targets: Labels,
    /// The probability from which each label counts as predicted; empty for 0.5.
    pub thresholds: Vec<f64>,
    /// Number of tokens of each row that the model read, `[rows]`.
    pub lengths: Vec<u32>,
    /// The texts of the [listed](Self::listed) rows, as far as they can be read.
    pub texts: BTreeMap<usize, RowText>,
}

/// The text of a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowText {
    /// The text, or the first of a pair.
    pub first: String,
    /// The second of a pair.
    pub second: Option<String>,
    /// Where the row is, in words.
    pub place: String,
    /// Words with what they add to the prediction; empty if it is not explained.
    pub words: Vec<Word>,
}

/// A word that speaks for a prediction or against it.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    /// The text of a pair: 0 or 1.
    pub text: usize,
    /// Its first byte in that text.
    pub start: usize,
    /// The byte after its last one.
    pub end: usize,
    /// What it adds, as a share of the strongest word's, from -1 to 1.
    pub share: f64,
}

/// A row in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedRow {
    /// Its number.
    pub row: usize,
    /// The correct answer, in words.
    pub target: String,
    /// The prediction, in words.
    pub prediction: String,
    /// The size of its error, or the probability of the prediction.
    pub size: f64,
}

impl HeldOut {
    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.logits.len().checked_div(self.outputs).unwrap_or(0)
    }

    /// Returns logits and targets as metrics take them.
    ///
    /// # Errors
    /// Fails if their numbers do not fit together.
    pub fn predictions(&self) -> Result<Predictions<'_>, MetricError> {
        let targets = self.targets.targets().unwrap_or(Targets::Classes(&[]));
        Predictions::new(&self.logits, self.outputs, targets)
    }

    /// Returns the rows whose texts the report shows.
    pub fn listed(&self) -> Vec<usize> {
        let lists = [self.most_wrong(), self.least_certain()];
        let mut rows: Vec<_> = lists.iter().flatten().map(|listed| listed.row).collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// Returns the logits of a row, `[outputs]`.
    pub(crate) fn row(&self, row: usize) -> &[f32] {
        &self.logits[row * self.outputs..(row + 1) * self.outputs]
    }

    pub(crate) fn name(&self, output: usize) -> String {
        let name = self.task.names().get(output);
        name.cloned().unwrap_or_else(|| output.to_string())
    }

    pub(crate) fn threshold(&self, label: usize) -> f64 {
        let threshold = self.thresholds.get(label);
        threshold.copied().unwrap_or(DEFAULT_THRESHOLD)
    }

    /// Returns the rows that are most wrong: the confident errors, the label sets with the most wrong labels, or
    /// the values that are furthest off.
    pub fn most_wrong(&self) -> Vec<ListedRow> {
        let rows = (0..self.rows()).filter_map(|row| {
            let logits = self.row(row);
            let (size, is_wrong) = match &self.targets {
                Labels::None => return None,
                Labels::Classes(targets) => {
                    let class = argmax(logits)?;
                    let is_wrong = class as u32 != targets[row];
                    (if is_wrong { confidence(logits) } else { 0.0 }, is_wrong)
                }
                Labels::MultiLabel { width, values } => {
                    let marks = &values[row * width..(row + 1) * width];
                    let wrong = logits.iter().zip(marks).enumerate();
                    let wrong = wrong.filter(|(label, (logit, mark))| {
                        (sigmoid(**logit) >= self.threshold(*label)) != **mark
                    });
                    let sizes = wrong.map(|(_, (logit, mark))| {
                        (sigmoid(*logit) - f64::from(u8::from(*mark))).abs()
                    });
                    let size: f64 = sizes.sum();
                    (size, size > 0.0)
                }
                Labels::Values { width, values } => {
                    let targets = &values[row * width..(row + 1) * width];
                    let errors = logits.iter().zip(targets);
                    let errors = errors.map(|(value, target)| (f64::from(*value) - target).abs());
                    (errors.fold(0.0, f64::max), true)
                }
            };
            is_wrong.then_some((row, size))
        });
        self.list(rows.collect(), |a, b| b.total_cmp(&a))
    }

    /// Returns the rows of whose class the model is least certain; none for other tasks.
    pub fn least_certain(&self) -> Vec<ListedRow> {
        match &self.targets {
            Labels::Classes(_) => {
                let rows = (0..self.rows()).map(|row| (row, confidence(self.row(row))));
                self.list(rows.collect(), |a, b| a.total_cmp(&b))
            }
            _ => Vec::new(),
        }
    }

    fn list(
        &self,
        mut rows: Vec<(usize, f64)>,
        order: impl Fn(f64, f64) -> std::cmp::Ordering,
    ) -> Vec<ListedRow> {
        rows.sort_by(|a, b| order(a.1, b.1));
        rows.truncate(LISTED);
        let listed = rows.into_iter().map(|(row, size)| ListedRow {
            row,
            target: self.target(row),
            prediction: self.prediction(row),
            size,
        });
        listed.collect()
    }

    fn target(&self, row: usize) -> String {
        match &self.targets {
            Labels::Values { width, values } => {
                let values = values[row * width..(row + 1) * width].iter();
                joined(values.map(|value| crate::format::number(*value)))
            }
            labels => joined(labels.classes_of(row).map(|class| self.name(class))),
        }
    }

    fn prediction(&self, row: usize) -> String {
        let logits = self.row(row);
        match &self.targets {
            Labels::Values { .. } => {
                let values = logits.iter();
                joined(values.map(|value| crate::format::number(f64::from(*value))))
            }
            Labels::MultiLabel { .. } => {
                let labels = logits.iter().enumerate();
                let labels =
                    labels.filter(|(label, logit)| sigmoid(**logit) >= self.threshold(*label));
                joined(labels.map(|(label, _)| self.name(label)))
            }
            _ => argmax(logits)
                .map(|class| self.name(class))
                .unwrap_or_default(),
        }
    }

    /// Returns the confusion matrix of classes; `None` for other tasks.
    pub(crate) fn confusion_matrix(&self) -> Result<Option<ConfusionMatrix>, MetricError> {
        let Labels::Classes(targets) = &self.targets else {
            return Ok(None);
        };
        let mut matrix = ConfusionMatrix::new(self.outputs);
        for (row, &target) in targets.iter().enumerate() {
            matrix.update(target as usize, argmax(self.row(row)).unwrap_or(0))?;
        }
        Ok(Some(matrix))
    }

    /// Returns, of each class, whether each row has it, with its probability.
    pub(crate) fn memberships(&self, class: usize) -> Vec<(f64, bool)> {
        let rows = 0..self.rows();
        match &self.targets {
            Labels::Classes(targets) => rows
                .map(|row| {
                    let probability = softmax(self.row(row))[class];
                    (f64::from(probability), targets[row] as usize == class)
                })
                .collect(),
            Labels::MultiLabel { width, values } => rows
                .map(|row| (sigmoid(self.row(row)[class]), values[row * width + class]))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Returns the main metrics with 95 % intervals over rows.
    ///
    /// # Errors
    /// Fails if the predictions do not fit together.
    pub fn measures(&self) -> Result<Vec<Measure>, MetricError> {
        let numbers: Vec<u64> = (0..self.rows() as u64).collect();
        let scores = RowScores::new(&self.predictions()?, &self.thresholds, &numbers)?;
        let all: Vec<u32> = (0..scores.rows()).collect();
        let matrix = self.confusion_matrix()?;
        let values = self.rows().max(1) * self.outputs.max(1);
        let bootstrap = Bootstrap {
            resamples: (MOST_DRAWS / values).clamp(LEAST_RESAMPLES, 1000),
            ..Bootstrap::default()
        };
        let measures = scores.metrics().iter().map(|&metric| {
            let interval = match (&matrix, metric) {
                (Some(matrix), finetune_metrics::Metric::Accuracy) => {
                    bootstrap.interval(matrix, ConfusionMatrix::accuracy)?
                }
                (Some(matrix), _) => {
                    bootstrap.interval(matrix, |matrix| matrix.macro_average().f1)?
                }
                (None, metric) => scores.interval(metric, &bootstrap)?,
            };
            Ok::<_, MetricError>(Measure {
                name: metric.name().into(),
                value: scores.score(metric, &all),
                interval: Some([interval.low, interval.high]),
                method: format!("bootstrap of the rows, {} resamples", bootstrap.resamples),
            })
        });
        measures.collect()
    }
}

/// Returns the probability of the likeliest class.
pub(crate) fn confidence(logits: &[f32]) -> f64 {
    let probabilities = softmax(logits).into_iter();
    f64::from(probabilities.fold(0.0, f32::max))
}

fn joined(words: impl Iterator<Item = String>) -> String {
    let words: Vec<_> = words.collect();
    match words.is_empty() {
        true => "none".into(),
        false => words.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> HeldOut {
        HeldOut {
            split: "test".into(),
            task: Task::Classes(vec!["no".into(), "yes".into()]),
            outputs: 2,
            logits: vec![3.0, -3.0, 0.0, 0.5, 2.0, -2.0, -1.0, 1.0],
            targets: Labels::Classes(vec![1, 0, 0, 1]),
            thresholds: Vec::new(),
            lengths: vec![4; 4],
            texts: BTreeMap::new(),
        }
    }

    #[test]
    fn errors_and_uncertain_rows_are_listed() {
        let held_out = classes();
        let wrong = held_out.most_wrong();
        assert_eq!(wrong.iter().map(|row| row.row).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(
            (wrong[0].target.as_str(), wrong[0].prediction.as_str()),
            ("yes", "no")
        );
        assert_eq!(held_out.least_certain()[0].row, 1);
        assert_eq!(held_out.listed(), [0, 1, 2, 3]);
        let accuracy = &held_out.measures().unwrap()[0];
        assert_eq!((accuracy.name.as_str(), accuracy.value), ("accuracy", 0.5));
        let [low, high] = accuracy.interval.unwrap();
        assert!(low < 0.5 && 0.5 < high);
    }

    #[test]
    fn label_sets_and_values_are_listed_by_their_errors() {
        let labels = HeldOut {
            task: Task::MultiLabel(vec!["a".into(), "b".into()]),
            targets: Labels::MultiLabel {
                width: 2,
                values: vec![true, false, false, true, false, false, false, true],
            },
            thresholds: vec![0.5, 0.9],
            ..classes()
        };
        let wrong = labels.most_wrong();
        assert_eq!(wrong[0].row, 2);
        assert_eq!(
            (wrong[0].target.as_str(), wrong[0].prediction.as_str()),
            ("none", "a")
        );
        assert!(wrong.iter().all(|row| row.row != 0));
        let values = HeldOut {
            task: Task::Regression(vec!["x".into(), "y".into()]),
            targets: Labels::Values {
                width: 2,
                values: vec![3.0, -3.0, 0.0, 0.5, 2.0, 7.0, -1.0, 1.5],
            },
            ..classes()
        };
        let wrong = values.most_wrong();
        assert_eq!((wrong[0].row, wrong[0].size), (2, 9.0));
        assert_eq!(wrong[0].target, "2, 7");
        assert!(values.least_certain().is_empty());
        assert_eq!(values.measures().unwrap().len(), 3);
    }
}
