//! Metrics by name, to choose the best model by.

use std::fmt;
use std::str::FromStr;

use crate::error::MetricError;

/// What a model predicts, which decides the metrics that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// One class out of several.
    Classification,
    /// One number.
    Regression,
}

/// A metric that has one number, named as in `metric_for_best_model` of transformers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// `loss`: mean loss over rows.
    Loss,
    /// `accuracy`.
    Accuracy,
    /// `f1_macro`.
    F1Macro,
    /// `f1_weighted`.
    F1Weighted,
    /// `f1_micro`.
    F1Micro,
    /// `precision_macro`.
    PrecisionMacro,
    /// `precision_weighted`.
    PrecisionWeighted,
    /// `precision_micro`.
    PrecisionMicro,
    /// `recall_macro`.
    RecallMacro,
    /// `recall_weighted`.
    RecallWeighted,
    /// `recall_micro`.
    RecallMicro,
    /// `mse`: mean squared error.
    Mse,
    /// `rmse`: root mean squared error.
    Rmse,
    /// `mae`: mean absolute error.
    Mae,
    /// `r2`: coefficient of determination.
    R2,
    /// `pearson`: Pearson correlation.
    Pearson,
}

impl Metric {
    /// Every metric, in the order in which they are listed to the user.
    pub const ALL: [Self; 16] = [
        Self::Loss,
        Self::Accuracy,
        Self::F1Macro,
        Self::F1Weighted,
        Self::F1Micro,
        Self::PrecisionMacro,
        Self::PrecisionWeighted,
        Self::PrecisionMicro,
        Self::RecallMacro,
        Self::RecallWeighted,
        Self::RecallMicro,
        Self::Mse,
        Self::Rmse,
        Self::Mae,
        Self::R2,
        Self::Pearson,
    ];

    /// The metric's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Accuracy => "accuracy",
            Self::F1Macro => "f1_macro",
            Self::F1Weighted => "f1_weighted",
            Self::F1Micro => "f1_micro",
            Self::PrecisionMacro => "precision_macro",
            Self::PrecisionWeighted => "precision_weighted",
            Self::PrecisionMicro => "precision_micro",
            Self::RecallMacro => "recall_macro",
            Self::RecallWeighted => "recall_weighted",
            Self::RecallMicro => "recall_micro",
            Self::Mse => "mse",
            Self::Rmse => "rmse",
            Self::Mae => "mae",
            Self::R2 => "r2",
            Self::Pearson => "pearson",
        }
    }

    /// Whether a larger value is a better model.
    pub fn greater_is_better(self) -> bool {
        !matches!(self, Self::Loss | Self::Mse | Self::Rmse | Self::Mae)
    }

    /// Whether `value` is better than `best`. NaN is never better, and anything is better than NaN.
    pub fn is_better(self, value: f64, best: f64) -> bool {
        if self.greater_is_better() {
            value > best || (best.is_nan() && !value.is_nan())
        } else {
            value < best || (best.is_nan() && !value.is_nan())
        }
    }

    /// Whether a model of this task has the metric.
    pub fn applies_to(self, task: Task) -> bool {
        let regression = matches!(
            self,
            Self::Mse | Self::Rmse | Self::Mae | Self::R2 | Self::Pearson
        );
        match task {
            Task::Classification => !regression,
            Task::Regression => regression || self == Self::Loss,
        }
    }

    /// The metric of this name that a model of `task` has, with or without transformers' prefix
    /// `eval_`.
    ///
    /// # Errors
    /// [`MetricError::UnknownName`] listing the valid names of the task.
    pub fn parse(name: &str, task: Task) -> Result<Self, MetricError> {
        Self::find(name, |metric| metric.applies_to(task))
    }

    fn find(name: &str, valid: impl Fn(&Self) -> bool) -> Result<Self, MetricError> {
        let bare = name.strip_prefix("eval_").unwrap_or(name);
        let candidates = || Self::ALL.into_iter().filter(&valid);
        candidates()
            .find(|metric| metric.name() == bare)
            .ok_or_else(|| MetricError::UnknownName {
                name: name.to_string(),
                valid: candidates().map(Self::name).collect::<Vec<_>>().join(", "),
            })
    }
}

impl FromStr for Metric {
    type Err = MetricError;

    fn from_str(name: &str) -> Result<Self, MetricError> {
        Self::find(name, |_| true)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_to_its_metric() {
        for metric in Metric::ALL {
            assert_eq!(metric.name().parse(), Ok(metric));
            assert_eq!(format!("eval_{metric}").parse(), Ok(metric));
        }
    }

    #[test]
    fn an_unknown_name_lists_the_valid_ones_of_the_task() {
        let error = Metric::parse("f1", Task::Regression).unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown metric \"f1\"; valid names are: loss, mse, rmse, mae, r2, pearson"
        );
        assert!(Metric::parse("mse", Task::Classification).is_err());
        assert_eq!(Metric::parse("loss", Task::Regression), Ok(Metric::Loss));
    }

    #[test]
    fn better_follows_the_metric_and_never_nan() {
        assert!(Metric::Accuracy.is_better(0.6, 0.5));
        assert!(Metric::Loss.is_better(0.5, 0.6));
        assert!(!Metric::Loss.is_better(0.5, 0.5));
        assert!(!Metric::Loss.is_better(f64::NAN, 0.6));
        assert!(Metric::R2.is_better(-3.0, f64::NAN));
        assert!(!Metric::R2.is_better(f64::NAN, f64::NAN));
    }
}
