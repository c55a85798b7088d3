//! The text of scikit-learn's `classification_report`.

use std::fmt;

use crate::confusion::ConfusionMatrix;
use crate::error::MetricError;
use crate::scores::Scores;

/// The table that scikit-learn's `classification_report(y_true, y_pred, labels=…,
/// target_names=…, digits=…, zero_division=0)` returns, byte for byte, except that the support
/// stays an integer if no row is correct, where scikit-learn prints `4.0`.
///
/// Over all classes, the first summary line is `accuracy`. If [`labels`](Self::labels) leaves out a
/// class that occurs among targets or predictions, it is `micro avg`, as in scikit-learn.
#[derive(Clone, Debug)]
pub struct ClassificationReport<'a> {
    matrix: &'a ConfusionMatrix,
    names: Vec<&'a str>,
    labels: Vec<usize>,
    digits: usize,
}

impl<'a> ClassificationReport<'a> {
    /// Creates a report over all classes with two digits, scikit-learn's default.
    ///
    /// # Errors
    /// Fails with [`MetricError::NameCount`] if the number of names is not the number of classes.
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

    /// Sets the number of digits after the point.
    pub fn digits(mut self, digits: usize) -> Self {
        self.digits = digits;
        self
    }

    /// Shows and averages these classes only, in this order.
    ///
    /// # Errors
    /// Fails with [`MetricError::ClassOutOfRange`] if a label is not a class of the matrix.
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
        let labels = self.labels.iter();
        let scores: Vec<Scores> = labels
            .map(|&label| self.matrix.class_scores(label))
            .collect();
        let names: Vec<&str> = self.labels.iter().map(|&label| self.names[label]).collect();
        let micro = self.matrix.micro_average_of(self.labels.iter().copied());
        let overall = match self.shows_every_class_that_occurs() {
            true => "accuracy",
            false => "micro avg",
        };
        write_table(
            f,
            self.digits,
            &names,
            &scores,
            &[
                (overall, micro),
                ("macro avg", Scores::macro_average(&scores)),
                ("weighted avg", Scores::weighted_average(&scores)),
            ],
        )
    }
}

/// Writes the table of scikit-learn's report: a line per class, then a line per average. `accuracy` is
/// shown in the last column of scores only.
pub(crate) fn write_table(
    f: &mut impl fmt::Write,
    digits: usize,
    names: &[&str],
    scores: &[Scores],
    averages: &[(&str, Scores)],
) -> fmt::Result {
    let lengths = names.iter().map(|name| name.chars().count());
    let width = lengths.fold("weighted avg".len().max(digits), usize::max);
    let line = |f: &mut dyn fmt::Write, name: &str, scores: &Scores| {
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
    writeln!(
        f,
        "{:>width$}  {:>9} {:>9} {:>9} {:>9}\n",
        "", "precision", "recall", "f1-score", "support"
    )?;
    for (name, scores) in names.iter().zip(scores) {
        line(f, name, scores)?;
    }
    writeln!(f)?;
    for (name, scores) in averages {
        match *name {
            "accuracy" => {
                let Scores { f1, support, .. } = scores;
                writeln!(
                    f,
                    "{name:>width$}  {:>9} {:>9} {f1:>9.digits$} {support:>9}",
                    "", ""
                )?;
            }
            _ => line(f, name, scores)?,
        }
    }
    Ok(())
}
