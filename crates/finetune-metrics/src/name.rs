//! Metrics by name, for selecting the best model.

use std::fmt;
use std::str::FromStr;

use finetune_task::ProblemType;

use crate::error::MetricError;

/// Defines all metrics, one line each: variant, name, which direction is better, and the tasks that
/// have it.
macro_rules! metrics {
    ($($(#[$doc:meta])+ $metric:ident = $name:literal, $better:ident, $tasks:ident;)+) => {
        /// A metric that has one number, named as in scikit-learn and in `metric_for_best_model` of
        /// transformers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Metric {
            $($(#[$doc])+ #[doc = concat!("(`", $name, "`)")] $metric,)+
        }

        impl Metric {
            /// Every metric, in the order in which they are listed to the user.
            pub const ALL: &[Self] = &[$(Self::$metric,)+];

            /// Returns the metric's name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$metric => $name,)+ }
            }

            const fn better(self) -> Better {
                match self { $(Self::$metric => Better::$better,)+ }
            }

            const fn tasks(self) -> &'static [ProblemType] {
                match self { $(Self::$metric => $tasks,)+ }
            }
        }
    };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Better {
    Greater,
    Smaller,
}

/// The tasks that have a metric.
const ANY: &[ProblemType] = &ProblemType::ALL;
const CLASSES: &[ProblemType] = &[ProblemType::SingleLabelClassification];
const LABELS: &[ProblemType] = &[ProblemType::MultiLabelClassification];
const CLASSES_OR_LABELS: &[ProblemType] = &[
    ProblemType::SingleLabelClassification,
    ProblemType::MultiLabelClassification,
];
const NUMBERS: &[ProblemType] = &[ProblemType::Regression];
/// Masked language modelling, which predicts no labels.
const NO_LABELS: &[ProblemType] = &[];

metrics! {
    /// Mean loss over rows.
    Loss = "loss", Smaller, ANY;
    /// Share of rows predicted right.
    Accuracy = "accuracy", Greater, CLASSES;
    /// Mean recall of the classes that occur.
    BalancedAccuracy = "balanced_accuracy", Greater, CLASSES;
    /// Share of rows whose labels are all predicted right.
    SubsetAccuracy = "subset_accuracy", Greater, LABELS;
    /// Share of single labels predicted wrong.
    HammingLoss = "hamming_loss", Smaller, LABELS;
    /// Unweighted mean of the classes' F1.
    F1Macro = "f1_macro", Greater, CLASSES_OR_LABELS;
    /// Mean of the classes' F1 weighted by support.
    F1Weighted = "f1_weighted", Greater, CLASSES_OR_LABELS;
    /// F1 of the summed counts.
    F1Micro = "f1_micro", Greater, CLASSES_OR_LABELS;
    /// Mean of the rows' F1.
    F1Samples = "f1_samples", Greater, LABELS;
    /// Unweighted mean of the classes' precision.
    PrecisionMacro = "precision_macro", Greater, CLASSES_OR_LABELS;
    /// Mean of the classes' precision weighted by support.
    PrecisionWeighted = "precision_weighted", Greater, CLASSES_OR_LABELS;
    /// Precision of the summed counts.
    PrecisionMicro = "precision_micro", Greater, CLASSES_OR_LABELS;
    /// Mean of the rows' precision.
    PrecisionSamples = "precision_samples", Greater, LABELS;
    /// Unweighted mean of the classes' recall.
    RecallMacro = "recall_macro", Greater, CLASSES_OR_LABELS;
    /// Mean of the classes' recall weighted by support.
    RecallWeighted = "recall_weighted", Greater, CLASSES_OR_LABELS;
    /// Recall of the summed counts.
    RecallMicro = "recall_micro", Greater, CLASSES_OR_LABELS;
    /// Mean of the rows' recall.
    RecallSamples = "recall_samples", Greater, LABELS;
    /// Matthews correlation coefficient.
    Mcc = "mcc", Greater, CLASSES;
    /// Cohen's kappa.
    CohenKappa = "cohen_kappa", Greater, CLASSES;
    /// Area under the ROC curve: of class 1 where there are two classes, else the mean over classes.
    RocAuc = "roc_auc", Greater, CLASSES_OR_LABELS;
    /// Average precision: of class 1 where there are two classes, else the mean over classes.
    AveragePrecision = "average_precision", Greater, CLASSES_OR_LABELS;
    /// Mean negative logarithm of the target's probability.
    LogLoss = "log_loss", Smaller, CLASSES;
    /// Brier score.
    Brier = "brier", Smaller, CLASSES;
    /// Expected calibration error over 15 bins.
    Ece = "ece", Smaller, CLASSES;
    /// Share of rows whose target is among the 2 most probable classes.
    Top2Accuracy = "top_2_accuracy", Greater, CLASSES;
    /// Share of rows whose target is among the 3 most probable classes.
    Top3Accuracy = "top_3_accuracy", Greater, CLASSES;
    /// Share of rows whose target is among the 4 most probable classes.
    Top4Accuracy = "top_4_accuracy", Greater, CLASSES;
    /// Share of rows whose target is among the 5 most probable classes.
    Top5Accuracy = "top_5_accuracy", Greater, CLASSES;
    /// Mean squared error.
    Mse = "mse", Smaller, NUMBERS;
    /// Root mean squared error.
    Rmse = "rmse", Smaller, NUMBERS;
    /// Mean absolute error.
    Mae = "mae", Smaller, NUMBERS;
    /// Coefficient of determination.
    R2 = "r2", Greater, NUMBERS;
    /// Pearson correlation.
    Pearson = "pearson", Greater, NUMBERS;
    /// Spearman rank correlation.
    Spearman = "spearman", Greater, NUMBERS;
    /// Exponential of the mean loss of masked tokens.
    Perplexity = "perplexity", Smaller, NO_LABELS;
}

impl Metric {
    /// Returns whether a larger value means a better model.
    pub fn greater_is_better(self) -> bool {
        self.better() == Better::Greater
    }

    /// Returns whether `value` is better than `best`. NaN is never better, and anything is better than
    /// NaN.
    pub fn is_better(self, value: f64, best: f64) -> bool {
        is_better(self.greater_is_better(), value, best)
    }

    /// Returns whether a model of this task has the metric.
    pub fn applies_to(self, problem_type: ProblemType) -> bool {
        self.tasks().contains(&problem_type)
    }

    /// Iterates over the metrics of a task, in the order in which they are listed to the user.
    pub fn of(problem_type: ProblemType) -> impl Iterator<Item = Self> {
        let all = Self::ALL.iter().copied();
        all.filter(move |metric| metric.applies_to(problem_type))
    }

    /// Finds the metric of this name among those of `problem_type`, with or without transformers' prefix
    /// `eval_`.
    ///
    /// # Errors
    /// Fails with [`MetricError::UnknownName`], which lists the nearest and all valid names of the task.
    pub fn parse(name: &str, problem_type: ProblemType) -> Result<Self, MetricError> {
        Self::find(name, |metric| metric.applies_to(problem_type))
    }

    /// Finds the metric of this name among those of masked language modelling, with or without the prefix
    /// `eval_`.
    ///
    /// # Errors
    /// Fails with [`MetricError::UnknownName`], which lists them.
    pub fn parse_masked(name: &str) -> Result<Self, MetricError> {
        Self::find(name, |metric| {
            matches!(metric, Self::Loss | Self::Perplexity)
        })
    }

    fn find(name: &str, valid: impl Fn(&Self) -> bool) -> Result<Self, MetricError> {
        let bare = bare_name(name);
        let candidates = || Self::ALL.iter().copied().filter(&valid);
        if let Some(metric) = candidates().find(|metric| metric.name() == bare) {
            return Ok(metric);
        }
        let wanted = bare.to_lowercase().replace(['-', ' '], "_");
        let near = candidates()
            .map(|metric| (strsim::jaro_winkler(&wanted, metric.name()), metric))
            .filter(|(similarity, _)| *similarity > 0.75)
            // Of equally near names, the first one listed wins.
            .fold(None, |best: Option<(f64, Self)>, next| match best {
                Some(best) if best.0 >= next.0 => Some(best),
                _ => Some(next),
            });
        Err(MetricError::UnknownName {
            name: name.to_string(),
            nearest: near.map(|(_, metric)| metric),
            valid: candidates().map(Self::name).collect::<Vec<_>>().join(", "),
        })
    }
}

/// The name of a metric without the prefix `eval_` that transformers gives those of the validation
/// rows.
pub fn bare_name(name: &str) -> &str {
    name.strip_prefix("eval_").unwrap_or(name)
}

/// Whether `value` is better than `best`, also for a [`CustomMetric`](crate::CustomMetric). NaN is
/// never better, and anything is better than NaN.
pub fn is_better(greater_is_better: bool, value: f64, best: f64) -> bool {
    let better = if greater_is_better {
        value > best
    } else {
        value < best
    };
    better || (best.is_nan() && !value.is_nan())
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
        for &metric in Metric::ALL {
            assert_eq!(metric.name().parse(), Ok(metric));
            assert_eq!(format!("eval_{metric}").parse(), Ok(metric));
        }
    }

    #[test]
    fn an_unknown_name_suggests_the_nearest_and_lists_the_valid_ones_of_the_task() {
        let error = Metric::parse("f1", ProblemType::Regression).unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown metric \"f1\"; valid names are: loss, mse, rmse, mae, r2, pearson, spearman"
        );
        for (name, task, nearest) in [
            (
                "f1",
                ProblemType::SingleLabelClassification,
                Metric::F1Macro,
            ),
            (
                "eval_f1-marco",
                ProblemType::MultiLabelClassification,
                Metric::F1Macro,
            ),
            (
                "ROC_AUC",
                ProblemType::SingleLabelClassification,
                Metric::RocAuc,
            ),
            (
                "acuracy",
                ProblemType::SingleLabelClassification,
                Metric::Accuracy,
            ),
            ("spearmanr", ProblemType::Regression, Metric::Spearman),
        ] {
            let message = Metric::parse(name, task).unwrap_err().to_string();
            let expected = format!("unknown metric \"{name}\"; did you mean {nearest}? Valid");
            assert!(message.starts_with(&expected), "{message}");
        }
        assert!(Metric::parse("mse", ProblemType::SingleLabelClassification).is_err());
        assert!(Metric::parse("accuracy", ProblemType::MultiLabelClassification).is_err());
        assert_eq!(
            Metric::parse("loss", ProblemType::Regression),
            Ok(Metric::Loss)
        );
    }

    #[test]
    fn masked_language_models_have_their_own() {
        let parsed = ["loss", "eval_perplexity"].map(|name| Metric::parse_masked(name).unwrap());
        assert_eq!(parsed, [Metric::Loss, Metric::Perplexity]);
        assert!(!Metric::Perplexity.greater_is_better());
        let error = Metric::parse_masked("accuracy").unwrap_err().to_string();
        assert!(
            error.contains("valid names are: loss, perplexity"),
            "{error}"
        );
        assert!(Metric::parse("perplexity", ProblemType::Regression).is_err());
    }

    #[test]
    fn better_follows_the_metric_and_never_nan() {
        assert!(Metric::Accuracy.is_better(0.6, 0.5));
        for error in ["loss", "hamming_loss", "log_loss", "brier", "ece", "mse"] {
            assert!(error.parse::<Metric>().unwrap().is_better(0.5, 0.6));
        }
        assert!(!Metric::Loss.is_better(0.5, 0.5));
        assert!(!Metric::Loss.is_better(f64::NAN, 0.6));
        assert!(Metric::R2.is_better(-3.0, f64::NAN));
        assert!(!Metric::R2.is_better(f64::NAN, f64::NAN));
    }
}
