//! The errors of event files and of values that TensorBoard cannot show.

use std::io;
use std::path::PathBuf;

use finetune_files::ErrorKind;
use thiserror::Error;

/// An error of writing, reading or continuing an event file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TensorboardError {
    /// An operation on a file failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// `create`, `open`, `read`, `write` and so on.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The checksum or the content of a record is wrong.
    #[error("{} is damaged, or no event file: the record at byte {position} {reason}", path.display())]
    Damaged {
        /// The event file.
        path: PathBuf,
        /// Position at which the record starts.
        position: u64,
        /// What is wrong with the record.
        reason: String,
    },
    /// The file ends within a record, as it may after a kill or while it is being written.
    #[error("{} ends within the record that starts at byte {position}; all before it can be read", path.display())]
    Truncated {
        /// The event file.
        path: PathBuf,
        /// Position at which the incomplete record starts, the end of the last complete one.
        position: u64,
    },
    /// A file to continue is shorter than it was.
    #[error(
        "{} cannot be continued at byte {position}, it has {length} bytes only: \
         it was replaced or cut since; move it away to start a new one", path.display()
    )]
    Shorter {
        /// The event file.
        path: PathBuf,
        /// Position at which to continue.
        position: u64,
        /// Number of bytes in the file.
        length: u64,
    },
    /// The position at which to continue is within a record.
    #[error(
        "{} cannot be continued at byte {position}: no event ends there, but at {before} and {after}; \
         give what `EventWriter::position` returned", path.display()
    )]
    NotABoundary {
        /// The event file.
        path: PathBuf,
        /// Position at which to continue.
        position: u64,
        /// The last end of a record before it, or 0.
        before: u64,
        /// The first end of a record after it.
        after: u64,
    },
    /// A tag is used for two kinds of data, of which TensorBoard would show only the first.
    #[error("the tag \"{tag}\" already belongs to {found}: give {expected} another tag")]
    TagTaken {
        /// The tag.
        tag: String,
        /// The plugin of the new data.
        expected: &'static str,
        /// The plugin to which the tag belongs.
        found: String,
    },
    /// A value of a histogram is NaN or infinite.
    #[error(
        "value {index} of the histogram \"{tag}\" is {value}: only finite values have a bucket"
    )]
    HistogramValue {
        /// The tag.
        tag: String,
        /// Index of the value.
        index: usize,
        /// NaN or an infinity.
        value: f32,
    },
    /// The numbers of labels and predictions differ.
    #[error(
        "the curve \"{tag}\" has {labels} labels and {predictions} predictions: one each is needed"
    )]
    CurveLength {
        /// The tag.
        tag: String,
        /// Number of labels.
        labels: usize,
        /// Number of predictions.
        predictions: usize,
    },
    /// A prediction is not a probability.
    #[error(
        "prediction {index} of the curve \"{tag}\" is {value}: a probability from 0 to 1 is needed"
    )]
    CurvePrediction {
        /// The tag.
        tag: String,
        /// Index of the prediction.
        index: usize,
        /// The prediction.
        value: f32,
    },
    /// A curve has too few thresholds, or more than f32 can distinguish.
    #[error(
        "the curve \"{tag}\" cannot have {num_thresholds} thresholds: 2 to 16777216 are needed"
    )]
    CurveThresholds {
        /// The tag.
        tag: String,
        /// The requested number.
        num_thresholds: usize,
    },
    /// Two hyperparameters have the same name.
    #[error("the hyperparameter \"{name}\" is given twice")]
    HparamTwice {
        /// The name.
        name: String,
    },
    /// A hyperparameter is NaN or infinite, which TensorBoard cannot send to the browser.
    #[error("the hyperparameter \"{name}\" is {value}: give a finite number, or a text")]
    HparamNotFinite {
        /// The name.
        name: String,
        /// NaN or an infinity.
        value: f64,
    },
    /// Hyperparameters are written twice, or ended before they are written.
    #[error("the hyperparameters in {} {reason}", path.display())]
    HparamsOrder {
        /// The event file.
        path: PathBuf,
        /// What is out of order.
        reason: &'static str,
    },
}

impl TensorboardError {
    /// Classifies the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { source, .. } => ErrorKind::of(source),
            Self::Damaged { .. } | Self::Truncated { .. } | Self::Shorter { .. } => {
                ErrorKind::Input
            }
            // Tags, curves and positions are made by programs.
            Self::NotABoundary { .. }
            | Self::TagTaken { .. }
            | Self::HistogramValue { .. }
            | Self::CurveLength { .. }
            | Self::CurvePrediction { .. }
            | Self::CurveThresholds { .. }
            | Self::HparamTwice { .. }
            | Self::HparamNotFinite { .. }
            | Self::HparamsOrder { .. } => ErrorKind::Bug,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_the_environments_and_a_damaged_file_is_input() {
        let io = |kind: io::ErrorKind| TensorboardError::Io {
            action: "write",
            path: PathBuf::from("a"),
            source: kind.into(),
        };
        assert_eq!(
            io(io::ErrorKind::StorageFull).kind(),
            ErrorKind::Environment
        );
        assert_eq!(io(io::ErrorKind::NotFound).kind(), ErrorKind::Input);
    }
}
