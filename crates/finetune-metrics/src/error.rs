//! What can go wrong: rows that do not fit the metric, and names that are not metrics.

use thiserror::Error;

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
    /// A NaN among the logits, so that no prediction follows from them.
    #[error(
        "a row's logit for class {class} is NaN: the model diverged; try a lower learning rate or look for broken weights"
    )]
    NanLogit {
        /// The class whose logit is NaN.
        class: usize,
    },
    /// A number of names other than the number of classes.
    #[error("{found} class names given for {expected} classes")]
    NameCount {
        /// Number of classes (or of listed labels).
        expected: usize,
        /// Number of names.
        found: usize,
    },
    /// Two matrices over different numbers of classes cannot be merged.
    #[error("cannot merge a confusion matrix over {found} classes into one over {expected}")]
    ClassCount {
        /// Classes of the matrix merged into.
        expected: usize,
        /// Classes of the other matrix.
        found: usize,
    },
    /// A metric name that nobody knows, or that belongs to another task.
    #[error("unknown metric \"{name}\"; valid names are: {valid}")]
    UnknownName {
        /// The name asked for.
        name: String,
        /// The valid names, comma-separated.
        valid: String,
    },
}
