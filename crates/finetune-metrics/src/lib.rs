#![doc = include_str!("../README.md")]

mod bootstrap;
mod calibration;
mod classification;
mod classification_summary;
mod confident_errors;
mod confusion;
mod confusion_table;
mod error;
mod label_counts;
mod mcnemar;
mod mean;
mod multi_label;
mod multi_label_summary;
mod name;
mod predictions;
mod probability;
mod rank_correlation;
mod ranking;
mod ranking_curve;
mod regression;
mod regression_accumulator;
mod report;
mod row_scores;
mod scores;
mod softmax;
mod thresholds;

pub use bootstrap::{Bootstrap, Interval};
pub use calibration::ReliabilityBin;
pub use classification::ClassificationAccumulator;
pub use classification_summary::{ClassificationSummary, PerClass};
pub use confident_errors::ConfidentError;
pub use confusion::ConfusionMatrix;
pub use confusion_table::NamedConfusionMatrix;
pub use error::MetricError;
pub use mcnemar::{McNemar, mcnemar};
pub use mean::Mean;
pub use multi_label::{DEFAULT_THRESHOLD, MultiLabelAccumulator};
pub use multi_label_summary::MultiLabelSummary;
pub use name::{Metric, bare_name, is_better};
pub use predictions::{CustomMetric, Predictions};

/// Re-exported from `finetune-task`.
pub use finetune_task::{ProblemType, Targets};

pub use ranking_curve::{CurvePoint, RankingCurve};
pub use regression::Regression;
pub use regression_accumulator::{OutputScores, RegressionAccumulator, RegressionSummary};
pub use report::ClassificationReport;
pub use row_scores::RowScores;
pub use scores::Scores;
pub use softmax::{argmax, sigmoid, softmax};
pub use thresholds::BestThresholds;
