#![doc = include_str!("../README.md")]

mod classification;
mod confusion;
mod error;
mod mean;
mod name;
mod regression;
mod report;
mod scores;
mod softmax;

pub use classification::{ClassificationAccumulator, ClassificationSummary, PerClass};
pub use confusion::{ConfusionMatrix, NamedConfusionMatrix};
pub use error::MetricError;
pub use mean::Mean;
pub use name::{Metric, Task};
pub use regression::{Regression, RegressionAccumulator, RegressionSummary};
pub use report::ClassificationReport;
pub use scores::Scores;
pub use softmax::{argmax, softmax};
