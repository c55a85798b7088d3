//! The confusion matrix and the scores that follow from its counts alone.

use crate::confusion_table::NamedConfusionMatrix;
use crate::error::MetricError;
use crate::scores::{Scores, ratio};

/// Counts of (target, prediction) pairs over a fixed number of classes, built row by row.
///
/// Averages run over **all** classes, seen or not, as in scikit-learn with `labels=range(n),
/// zero_division=0`: a class without rows counts as 0 in the macro average. Without any rows, every
/// score is
/// 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: usize,
    /// `[classes, classes]`, with a row per target and a column per prediction.
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// Creates an empty matrix over the classes `0..classes`.
    pub fn new(classes: usize) -> Self {
        Self {
            classes,
            counts: vec![0; classes * classes],
        }
    }

    /// Counts a row.
    ///
    /// # Errors
    /// Fails with [`MetricError::ClassOutOfRange`] if a class is not below the number of classes.
    pub fn update(&mut self, target: usize, prediction: usize) -> Result<(), MetricError> {
        let classes = self.classes;
        for class in [target, prediction] {
            if class >= classes {
                return Err(MetricError::ClassOutOfRange { class, classes });
            }
        }
        self.counts[target * classes + prediction] += 1;
        Ok(())
    }

    /// Adds the counts of another matrix, such as another thread's.
    ///
    /// # Errors
    /// Fails with [`MetricError::ClassCount`] if the numbers of classes differ.
    pub fn merge(&mut self, other: &Self) -> Result<(), MetricError> {
        if self.classes != other.classes {
            return Err(MetricError::ClassCount {
                expected: self.classes,
                found: other.classes,
            });
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        Ok(())
    }

    /// Returns the number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Returns the number of rows counted.
    pub fn rows(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns how often a row of class `target` was predicted as `prediction`; 0 outside the matrix.
    pub fn count(&self, target: usize, prediction: usize) -> u64 {
        if target < self.classes && prediction < self.classes {
            self.counts[target * self.classes + prediction]
        } else {
            0
        }
    }

    /// Returns the counts, `[classes, classes]` in row-major order.
    pub(crate) fn counts(&self) -> &[u64] {
        &self.counts
    }

    pub(crate) fn counts_mut(&mut self) -> &mut [u64] {
        &mut self.counts
    }

    /// Returns the counts as rows (targets) of columns (predictions).
    pub fn to_rows(&self) -> Vec<Vec<u64>> {
        (0..self.classes)
            .map(|target| self.counts[target * self.classes..][..self.classes].to_vec())
            .collect()
    }

    /// Returns the number of rows whose target is `class`.
    pub fn support(&self, class: usize) -> u64 {
        (0..self.classes)
            .map(|prediction| self.count(class, prediction))
            .sum()
    }

    /// Returns the number of rows predicted as `class`.
    pub fn predicted(&self, class: usize) -> u64 {
        (0..self.classes)
            .map(|target| self.count(target, class))
            .sum()
    }

    /// Returns the share of rows on the diagonal; 0 without rows.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.classes)
            .map(|class| self.count(class, class))
            .sum();
        ratio(right as f64, self.rows() as f64)
    }

    /// Returns the mean recall of the classes that have rows (`balanced_accuracy_score`); NaN without
    /// rows.
    pub fn balanced_accuracy(&self) -> f64 {
        let (mut classes, mut recall) = (0, 0.0);
        for class in 0..self.classes {
            let support = self.support(class);
            if support > 0 {
                classes += 1;
                recall += self.count(class, class) as f64 / support as f64;
            }
        }
        recall / f64::from(classes)
    }

    /// Computes the Matthews correlation coefficient for any number of classes (`matthews_corrcoef`;
    /// Gorodkin, 2004), in [-1, 1]; 0 if targets or predictions are all of one class.
    pub fn mcc(&self) -> f64 {
        let rows = self.rows() as f64;
        let (mut hits, mut both, mut targets, mut predictions) = (0.0, 0.0, 0.0, 0.0);
        for class in 0..self.classes {
            let (support, predicted) = (self.support(class) as f64, self.predicted(class) as f64);
            hits += self.count(class, class) as f64;
            both += support * predicted;
            targets += support * support;
            predictions += predicted * predicted;
        }
        let variances = (rows * rows - targets) * (rows * rows - predictions);
        ratio(hits * rows - both, variances.sqrt())
    }

    /// Computes Cohen's kappa, unweighted (`cohen_kappa_score`): the agreement beyond chance, at most 1.
    /// NaN if targets and predictions are all of the same class, or without rows.
    pub fn cohen_kappa(&self) -> f64 {
        let rows = self.rows() as f64;
        let (mut hits, mut by_chance) = (0.0, 0.0);
        for class in 0..self.classes {
            hits += self.count(class, class) as f64;
            by_chance += self.support(class) as f64 * self.predicted(class) as f64;
        }
        // 1 - observed disagreement / disagreement expected; 0 / 0 is NaN, as in scikit-learn.
        1.0 - (rows - hits) / (rows - by_chance / rows)
    }

    /// Returns precision, recall, F1 and support of a class.
    pub fn class_scores(&self, class: usize) -> Scores {
        Scores::from_counts(
            self.count(class, class),
            self.support(class),
            self.predicted(class),
        )
    }

    /// Returns the scores of every class, in class order.
    pub fn per_class(&self) -> Vec<Scores> {
        (0..self.classes)
            .map(|class| self.class_scores(class))
            .collect()
    }

    /// Returns the unweighted mean over all classes.
    pub fn macro_average(&self) -> Scores {
        Scores::macro_average(&self.per_class())
    }

    /// Returns the mean over all classes, weighted by support.
    pub fn weighted_average(&self) -> Scores {
        Scores::weighted_average(&self.per_class())
    }

    /// Returns the scores of the summed counts; over all classes, each of them equals the accuracy.
    pub fn micro_average(&self) -> Scores {
        self.micro_average_of(0..self.classes)
    }

    /// Returns the micro average over some classes only.
    pub(crate) fn micro_average_of(&self, labels: impl IntoIterator<Item = usize>) -> Scores {
        let (mut hits, mut targets, mut predictions) = (0, 0, 0);
        for class in labels {
            hits += self.count(class, class);
            targets += self.support(class);
            predictions += self.predicted(class);
        }
        Scores::from_counts(hits, targets, predictions)
    }

    /// Combines the matrix with class names, to print it as a table.
    ///
    /// # Errors
    /// Fails with [`MetricError::NameCount`] if the number of names is not the number of classes.
    pub fn named<'a>(
        &'a self,
        names: &'a [String],
    ) -> Result<NamedConfusionMatrix<'a>, MetricError> {
        if names.len() != self.classes {
            return Err(MetricError::NameCount {
                expected: self.classes,
                found: names.len(),
            });
        }
        Ok(NamedConfusionMatrix {
            matrix: self,
            names,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_outside_the_matrix_are_refused() {
        let mut matrix = ConfusionMatrix::new(2);
        let error = matrix.update(0, 2).unwrap_err();
        assert_eq!(
            error.to_string(),
            "class 2 is out of range: the metric was made for 2 classes (0 to 1)"
        );
        assert_eq!(matrix.rows(), 0);
        assert!(matrix.merge(&ConfusionMatrix::new(3)).is_err());
        assert!(matrix.named(&["one".to_string()]).is_err());
    }

    #[test]
    fn merging_is_counting_both() {
        let (mut left, mut right, mut both) = (
            ConfusionMatrix::new(3),
            ConfusionMatrix::new(3),
            ConfusionMatrix::new(3),
        );
        for row in 0..50_usize {
            let (target, prediction) = (row % 3, row * 7 % 5 % 3);
            let part = if row % 2 == 0 { &mut left } else { &mut right };
            part.update(target, prediction).unwrap();
            both.update(target, prediction).unwrap();
        }
        left.merge(&right).unwrap();
        assert_eq!(left, both);
        assert_eq!(left.rows(), 50);
    }
}
