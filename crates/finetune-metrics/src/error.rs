//! What can go wrong: rows that do not fit the metric, and names that are not metrics.

use finetune_files::ErrorKind;
use thiserror::Error;

use crate::name::Metric;

/// An input that a metric cannot take.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum MetricError {
    /// A target or prediction outside `0..classes`.
    #[error("class {class} is out of range: the metric was made for {classes} classes (0 to {})", classes.saturating_sub(1))]
    ClassOutOfRange {
        /// The class found.
        class: usize,
        /// Number of classes of the metric.
        classes: usize,
    },
    /// A row of logits of another length than the number of classes.
    #[error("a row has {found} logits, but there are {expected} classes")]
    RowLength {
        /// Number of classes.
        expected: usize,
        /// Length of the row.
        found: usize,
    },
    /// A row with another number of predictions or targets than the model has outputs.
    #[error("a row has {found} {what}, but the model has {expected} outputs")]
    OutputCount {
        /// "predictions" or "targets".
        what: &'static str,
        /// Number of outputs.
        expected: usize,
        /// Length of the row.
        found: usize,
    },
    /// A NaN or infinite logit, from which no probabilities follow.
    #[error(
        "a row's logit for class {class} is {value}: the model diverged; try a lower learning rate or look for broken weights"
    )]
    NonFiniteLogit {
        /// The class whose logit it is.
        class: usize,
        /// NaN or an infinity.
        value: f32,
    },
    /// A number of names other than the number of classes.
    #[error("{found} class names given for {expected} classes")]
    NameCount {
        /// Number of classes (or of listed labels).
        expected: usize,
        /// Number of names.
        found: usize,
    },
    /// A number of thresholds other than the number of classes.
    #[error("{found} thresholds given for {expected} classes: give one per class")]
    ThresholdCount {
        /// Number of classes.
        expected: usize,
        /// Number of thresholds.
        found: usize,
    },
    /// A threshold that no probability can be compared with.
    #[error("the threshold of class {class} is {value}: a probability between 0 and 1 is needed")]
    ThresholdRange {
        /// The class whose threshold it is.
        class: usize,
        /// The threshold found.
        value: f64,
    },
    /// Two matrices over different numbers of classes cannot be merged.
    #[error("cannot merge a confusion matrix over {found} classes into one over {expected}")]
    ClassCount {
        /// Classes of the matrix merged into.
        expected: usize,
        /// Classes of the other matrix.
        found: usize,
    },
    /// Logits or targets that are not `[rows, outputs]`.
    #[error("{found} {what} do not fit {rows} rows of {outputs} outputs")]
    Shape {
        /// "logits" or "targets".
        what: &'static str,
        /// Number of rows.
        rows: usize,
        /// Values per row.
        outputs: usize,
        /// Values found.
        found: usize,
    },
    /// Two models to compare that were not evaluated on the same rows.
    #[error(
        "model A was evaluated on {a} rows and model B on {b}: a paired test needs the same rows in the same order"
    )]
    PairedRows {
        /// Rows of the first model.
        a: usize,
        /// Rows of the second model.
        b: usize,
    },
    /// A bootstrap without resamples, or a confidence level outside (0, 1).
    #[error(
        "cannot bootstrap {resamples} resamples at confidence level {level}: at least 1 resample and a level between 0 and 1 are needed"
    )]
    BootstrapOptions {
        /// Number of resamples asked for.
        resamples: usize,
        /// Confidence level asked for.
        level: f64,
    },
    /// A metric name that nobody knows, or that belongs to another task.
    #[error("unknown metric \"{name}\"; {}alid names are: {valid}", match nearest {
        Some(nearest) => format!("did you mean {nearest}? V"),
        None => "v".to_string(),
    })]
    UnknownName {
        /// The name asked for.
        name: String,
        /// The valid metric with the most similar name, if one is similar at all.
        nearest: Option<Metric>,
        /// The valid names, comma-separated.
        valid: String,
    },
}

impl MetricError {
    /// On whose side the error lies. Shapes and numbers of names are the caller's to get right; names,
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
