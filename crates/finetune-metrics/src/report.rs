//! The text of scikit-learn's `classification_report`.

use std::fmt;

use crate::confusion::ConfusionMatrix;
use crate::error::MetricError;
use crate::scores::Scores;

/// The table that scikit-learn's `classification_report(y_true, y_pred, labels=…,
/// target_names=…, digits=…, zero_division=0)` returns, byte for byte. (Except that the support
/// stays an integer where not one row is right; scikit-learn prints `4.0` there.)
///
/// Over all classes the first summary line is `accuracy`; where [`labels`](Self::labels) leaves
/// out a class that occurs among targets or predictions, it is `micro avg`, as in scikit-learn.
#[derive(Clone, Debug)]
pub struct ClassificationReport<'a> {
    matrix: &'a ConfusionMatrix,
    names: Vec<&'a str>,
    labels: Vec<usize>,
    digits: usize,
}

impl<'a> ClassificationReport<'a> {
    /// A report over all classes with two digits, as is scikit-learn's default.
    ///
    /// # Errors
    /// [`MetricError::NameCount`] where the number of names is not the number of classes.
    pub fn new(matrix: &'a ConfusionMatrix, names: &'a [String]) -> Result<Self, MetricError> {
        if names.len() != matrix.classes() {
            return Err(MetricError::NameCount {
                expected: matrix.classes(),
                found: names.len(),
            });
        }
        Ok(Self {
            matrix,
            names: names.iter().map(String::as_str).collect(),
            labels: (0..matrix.classes()).collect(),
            digits: 2,
        })
    }

    /// Digits after the point.
    pub fn digits(mut self, digits: usize) -> Self {
        self.digits = digits;
        self
    }

    /// Shows and averages these classes only, in this order.
    ///
    /// # Errors
    /// [`MetricError::ClassOutOfRange`] where a label is not a class of the matrix.
    pub fn labels(mut self, labels: &[usize]) -> Result<Self, MetricError> {
        let classes = self.matrix.classes();
        if let Some(&class) = labels.iter().find(|&&label| label >= classes) {
            return Err(MetricError::ClassOutOfRange { class, classes });
        }
        self.labels = labels.to_vec();
        Ok(self)
    }

    fn shows_every_class_that_occurs(&self) -> bool {
        (0..self.matrix.classes()).all(|class| {
            self.labels.contains(&class)
                || self.matrix.support(class) + self.matrix.predicted(class) == 0
        })
    }
}

impl fmt::Display for ClassificationReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.digits;
        let width = self
            .labels
            .iter()
            .map(|&label| self.names[label].chars().count())
            .fold("weighted avg".len().max(digits), usize::max);
        let row = |f: &mut fmt::Formatter<'_>, name: &str, scores: &Scores| {
            let Scores {
                precision,
                recall,
                f1,
                support,
            } = scores;
            writeln!(
                f,
                "{name:>width$}  {precision:>9.digits$} {recall:>9.digits$} {f1:>9.digits$} {support:>9}"
            )
        };

        let scores: Vec<Scores> = self
            .labels
            .iter()
            .map(|&label| self.matrix.class_scores(label))
            .collect();
        writeln!(
            f,
            "{:>width$}  {:>9} {:>9} {:>9} {:>9}\n",
            "", "precision", "recall", "f1-score", "support"
        )?;
        for (&label, scores) in self.labels.iter().zip(&scores) {
            row(f, self.names[label], scores)?;
        }
        writeln!(f)?;
        let micro = self.matrix.micro_average_of(self.labels.iter().copied());
        if self.shows_every_class_that_occurs() {
            let Scores { f1, support, .. } = micro;
            writeln!(
                f,
                "{:>width$}  {:>9} {:>9} {f1:>9.digits$} {support:>9}",
                "accuracy", "", ""
            )?;
        } else {
            row(f, "micro avg", &micro)?;
        }
        row(f, "macro avg", &Scores::average(&scores, |_| 1.0))?;
        row(
            f,
            "weighted avg",
            &Scores::average(&scores, |scores| scores.support as f64),
        )
    }
}
