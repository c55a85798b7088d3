//! The error type of this crate.

use finetune_files::ErrorKind;
use thiserror::Error;

use crate::name::Metric;

/// An input that does not fit a metric, or an unknown name.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum MetricError {
    /// A target or prediction is outside `0..classes`.
    #[error("class {class} is out of range: the metric was made for {classes} classes (0 to {})", classes.saturating_sub(1))]
    ClassOutOfRange {
        /// The class that was given.
        class: usize,
        /// Number of classes of the metric.
        classes: usize,
    },
    /// The length of a row of logits differs from the number of classes.
    #[error("a row has {found} logits, but there are {expected} classes")]
    RowLength {
        /// Number of classes.
        expected: usize,
        /// Length of the row.
        found: usize,
    },
    /// A row's number of predictions or targets differs from the number of outputs.
    #[error("a row has {found} {what}, but the model has {expected} outputs")]
    OutputCount {
        /// `predictions` or `targets`.
        what: &'static str,
        /// Number of outputs.
        expected: usize,
        /// Length of the row.
        found: usize,
    },
    /// A logit is NaN or infinite, so that no probabilities follow from it.
    #[error(
        "a row's logit for class {class} is {value}: the model diverged; try a lower learning rate or look for broken weights"
    )]
    NonFiniteLogit {
        /// The class of the logit.
        class: usize,
        /// NaN or an infinity.
        value: f32,
    },
    /// The number of names differs from the number of classes.
    #[error("{found} class names given for {expected} classes")]
    NameCount {
        /// Number of classes (or of listed labels).
        expected: usize,
        /// Number of names.
        found: usize,
    },
    /// The number of thresholds differs from the number of classes.
    #[error("{found} thresholds given for {expected} classes: give one per class")]
    ThresholdCount {
        /// Number of classes.
        expected: usize,
        /// Number of thresholds.
        found: usize,
    },
    /// A threshold is outside [0, 1].
    #[error("the threshold of class {class} is {value}: a probability between 0 and 1 is needed")]
    ThresholdRange {
        /// The class of the threshold.
        class: usize,
        /// The threshold that was given.
        value: f64,
    },
    /// Two matrices to merge have different numbers of classes.
    #[error("cannot merge a confusion matrix over {found} classes into one over {expected}")]
    ClassCount {
        /// Number of classes of the matrix that is merged into.
        expected: usize,
        /// Number of classes of the other matrix.
        found: usize,
    },
    /// Logits or targets are not `[rows, outputs]`.
    #[error("{found} {what} do not fit {rows} rows of {outputs} outputs")]
    Shape {
        /// `logits` or `targets`.
        what: &'static str,
        /// Number of rows.
        rows: usize,
        /// Number of values per row.
        outputs: usize,
        /// Number of values found.
        found: usize,
    },
    /// Two models to compare were not evaluated on the same rows.
    #[error(
        "model A was evaluated on {a} rows and model B on {b}: a paired test needs the same rows in the same order"
    )]
    PairedRows {
        /// Number of rows of the first model.
        a: usize,
        /// Number of rows of the second model.
        b: usize,
    },
    /// A bootstrap has no resamples, or a confidence level outside (0, 1).
    #[error(
        "cannot bootstrap {resamples} resamples at confidence level {level}: at least 1 resample and a level between 0 and 1 are needed"
    )]
    BootstrapOptions {
        /// Requested number of resamples.
        resamples: usize,
        /// Requested confidence level.
        level: f64,
    },
    /// A metric name is unknown or belongs to another task.
    #[error("unknown metric \"{name}\"; {}alid names are: {valid}", match nearest {
        Some(nearest) => format!("did you mean {nearest}? V"),
        None => "v".to_string(),
    })]
    UnknownName {
        /// The name that was given.
        name: String,
        /// The valid metric with the most similar name, if there is a similar one.
        nearest: Option<Metric>,
        /// The valid names, comma-separated.
        valid: String,
    },
}

impl MetricError {
    /// Classifies the error. Shapes and numbers of names are the caller's to get right; names,
    /// thresholds and values that are no numbers come from outside.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NonFiniteLogit { .. }
            | Self::NameCount { .. }
            | Self::ThresholdCount { .. }
            | Self::ThresholdRange { .. }
            | Self::PairedRows { .. }
            | Self::BootstrapOptions { .. }
            | Self::UnknownName { .. } => ErrorKind::Input,
            Self::ClassOutOfRange { .. }
            | Self::RowLength { .. }
            | Self::OutputCount { .. }
            | Self::ClassCount { .. }
            | Self::Shape { .. } => ErrorKind::Bug,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_input_and_shapes_are_the_programs() {
        let unknown = Metric::parse("f3", finetune_task::ProblemType::Regression).unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::Input);
        let shape = MetricError::RowLength {
            expected: 2,
            found: 3,
        };
        assert_eq!(shape.kind(), ErrorKind::Bug);
    }
}
