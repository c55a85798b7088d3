//! The errors of this crate.

use finetune_files::ErrorKind;

/// Why a report cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The predictions do not fit together.
    #[error(transparent)]
    Predictions(#[from] finetune_metrics::MetricError),
    /// A picture cannot be drawn.
    #[error("cannot draw a plot of the report: {0}")]
    Plot(String),
}

impl ReportError {
    /// Returns the kind of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Predictions(error) => error.kind(),
            Self::Plot(_) => ErrorKind::Bug,
        }
    }
}
