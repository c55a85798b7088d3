//! What can go wrong with event files, and values that TensorBoard cannot show.

use std::io;
use std::path::PathBuf;

use finetune_files::ErrorKind;
use thiserror::Error;

/// Why an event file cannot be written, read or continued.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TensorboardError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// "create", "open", "read", "write" and so on.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's own words.
        source: io::Error,
    },
    /// A record whose checksum or content is wrong.
    #[error("{} is damaged, or no event file: the record at byte {position} {reason}", path.display())]
    Damaged {
        /// The event file.
        path: PathBuf,
        /// Where the record starts.
        position: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The file ends within a record, as that of a killed run may, or one being written.
    #[error("{} ends within the record that starts at byte {position}; all before it can be read", path.display())]
    Truncated {
        /// The event file.
        path: PathBuf,
        /// Where the unfinished record starts: the end of the last whole one.
        position: u64,
    },
    /// A file to continue that is shorter than it was.
    #[error(
        "{} cannot be continued at byte {position}, it has {length} bytes only: \
         it was replaced or cut since; move it away to start a new one", path.display()
    )]
    Shorter {
        /// The event file.
        path: PathBuf,
        /// Where to continue.
        position: u64,
        /// Bytes in the file.
        length: u64,
    },
    /// A position to continue at that is within a record.
    #[error(
        "{} cannot be continued at byte {position}: no event ends there, but at {before} and {after}; \
         give what `EventWriter::position` returned", path.display()
    )]
    NotABoundary {
        /// The event file.
        path: PathBuf,
        /// Where to continue.
        position: u64,
        /// The last end of a record before it (0: none).
        before: u64,
        /// The first end of a record after it.
        after: u64,
    },
    /// One tag for two kinds of data: TensorBoard shows the first kind only.
    #[error("the tag \"{tag}\" already belongs to {found}: give {expected} another tag")]
    TagTaken {
        /// The tag.
        tag: String,
        /// The plugin it was to be used with.
        expected: &'static str,
        /// The plugin that it was used with first.
        found: String,
    },
    /// NaN or infinite values have no place in a histogram.
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
    /// Not one prediction for each label.
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
    /// A prediction that is no probability.
    #[error(
        "prediction {index} of the curve \"{tag}\" is {value}: a probability from 0 to 1 is needed"
    )]
    CurvePrediction {
        /// The tag.
        tag: String,
        /// Index of the prediction.
        index: usize,
        /// The prediction found.
        value: f32,
    },
    /// Too few thresholds for a curve, or more than f32 predictions can tell apart.
    #[error(
        "the curve \"{tag}\" cannot have {num_thresholds} thresholds: 2 to 16777216 are needed"
    )]
    CurveThresholds {
        /// The tag.
        tag: String,
        /// The number asked for.
        num_thresholds: usize,
    },
    /// Two hyperparameters of one name.
    #[error("the hyperparameter \"{name}\" is given twice")]
    HparamTwice {
        /// The name.
        name: String,
    },
    /// A number that TensorBoard cannot send to the browser.
    #[error("the hyperparameter \"{name}\" is {value}: give a finite number, or a text")]
    HparamNotFinite {
        /// The name.
        name: String,
        /// NaN or an infinity.
        value: f64,
    },
    /// Hyperparameters written twice, or ended before they were written.
    #[error("the hyperparameters in {} {reason}", path.display())]
    HparamsOrder {
        /// The event file.
        path: PathBuf,
        /// What is out of order.
        reason: &'static str,
    },
}

impl TensorboardError {
    /// On whose side the error lies.
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
