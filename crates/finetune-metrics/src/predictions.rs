//! A model's predictions for a data set, as the input of custom metrics.

use finetune_task::Targets;

use crate::error::MetricError;

/// A custom metric, computed from all rows of an evaluation.
///
/// ```
/// use finetune_metrics::{argmax, CustomMetric, Predictions, Targets};
///
/// /// Mean cost if missing class 1 costs five times as much as a false alarm.
/// struct Cost;
///
/// impl CustomMetric for Cost {
///     fn name(&self) -> &str {
///         "cost"
///     }
///     fn greater_is_better(&self) -> bool {
///         false
///     }
///     fn compute(&self, predictions: &Predictions<'_>) -> f64 {
///         let Targets::Classes(targets) = predictions.targets() else {
///             return f64::NAN;
///         };
///         let cost = |(row, &target): (&[f32], &u32)| match (target, argmax(row)) {
///             (1, Some(0)) => 5.0,
///             (0, Some(1)) => 1.0,
///             _ => 0.0,
///         };
///         predictions.iter().zip(targets).map(cost).sum::<f64>() / predictions.rows() as f64
///     }
/// }
///
/// let logits = [2.0, -1.0, 0.5, 0.1, 0.3, 0.9];
/// let predictions = Predictions::new(&logits, 2, Targets::Classes(&[0, 1, 0]))?;
/// assert_eq!(Cost.compute(&predictions), 2.0);
/// # Ok::<(), finetune_metrics::MetricError>(())
/// ```
pub trait CustomMetric: Send + Sync {
    /// Returns the name by which it is listed and selected, in lower snake case.
    fn name(&self) -> &str;

    /// Returns whether a larger value means a better model.
    fn greater_is_better(&self) -> bool;

    /// Computes the metric over all rows; NaN if it is undefined, which is never the best.
    fn compute(&self, predictions: &Predictions<'_>) -> f64;
}

/// The logits, `[rows, outputs]`, and targets of an evaluation, in the order in which the rows were
/// added.
#[derive(Clone, Copy, Debug)]
pub struct Predictions<'a> {
    logits: &'a [f32],
    outputs: usize,
    targets: Targets<'a>,
}

impl<'a> Predictions<'a> {
    /// Combines `logits`, `[rows, outputs]`, with as many targets.
    ///
    /// # Errors
    /// Fails with [`MetricError::Shape`] if the lengths do not fit, and with
    /// [`MetricError::ClassOutOfRange`] if a target class is not below `outputs`.
    pub fn new(
        logits: &'a [f32],
        outputs: usize,
        targets: Targets<'a>,
    ) -> Result<Self, MetricError> {
        let rows = logits.len().checked_div(outputs).unwrap_or(0);
        let (per_row, found) = match targets {
            Targets::Classes(targets) => (1, targets.len()),
            Targets::MultiLabel(targets) => (outputs, targets.len()),
            Targets::Values(targets) => (outputs, targets.len()),
        };
        for (what, outputs, found) in [
            ("logits", outputs, logits.len()),
            ("targets", per_row, found),
        ] {
            if found != rows * outputs {
                return Err(MetricError::Shape {
                    what,
                    rows,
                    outputs,
                    found,
                });
            }
        }
        if let Targets::Classes(targets) = targets
            && let Some(&class) = targets.iter().find(|&&class| class as usize >= outputs)
        {
            return Err(MetricError::ClassOutOfRange {
                class: class as usize,
                classes: outputs,
            });
        }
        Ok(Self::from_parts(logits, outputs, targets))
    }

    /// Returns the predictions of no rows.
    pub const fn none() -> Self {
        Self {
            logits: &[],
            outputs: 0,
            targets: Targets::Classes(&[]),
        }
    }

    /// Combines parts that an accumulator has checked row by row.
    pub(crate) fn from_parts(logits: &'a [f32], outputs: usize, targets: Targets<'a>) -> Self {
        Self {
            logits,
            outputs,
            targets,
        }
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.logits.len().checked_div(self.outputs).unwrap_or(0)
    }

    /// Returns the number of logits per row: classes, or outputs of a regression model.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Returns all logits, or a regression model's predictions, `[rows, outputs]`.
    pub fn logits(&self) -> &'a [f32] {
        self.logits
    }

    /// Iterates over the rows' logits, each `[outputs]`.
    pub fn iter(&self) -> impl Iterator<Item = &'a [f32]> + use<'a> {
        self.logits.chunks_exact(self.outputs.max(1))
    }

    /// Returns the correct answers for the rows.
    pub fn targets(&self) -> Targets<'a> {
        self.targets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_classes_must_fit() {
        let logits = [0.0; 6];
        let message = |outputs, targets| {
            let error = Predictions::new(&logits, outputs, targets).unwrap_err();
            error.to_string()
        };
        assert_eq!(
            message(4, Targets::Classes(&[0])),
            "6 logits do not fit 1 rows of 4 outputs"
        );
        assert_eq!(
            message(2, Targets::Values(&[0.0; 3])),
            "3 targets do not fit 3 rows of 2 outputs"
        );
        assert!(message(2, Targets::Classes(&[0, 2, 1])).contains("class 2 is out of range"));
        assert!(message(0, Targets::MultiLabel(&[])).contains("0 rows"));
        let view = Predictions::new(&logits, 2, Targets::MultiLabel(&[true; 6])).unwrap();
        assert_eq!(
            (view.rows(), view.outputs(), view.iter().count()),
            (3, 2, 3)
        );
        let empty = Predictions::new(&[], 0, Targets::Classes(&[])).unwrap();
        assert_eq!((empty.rows(), empty.iter().count()), (0, 0));
    }
}
