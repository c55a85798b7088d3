//! All metrics of a multi-label classifier, serializable as JSON.

use serde::Serialize;

use crate::classification_summary::PerClass;
use crate::label_counts::LabelCounts;
use crate::name::Metric;
use crate::ranking::RankingMean;
use crate::scores::ratio;

/// The metrics of a multi-label classifier over a data set.
///
/// Undefined metrics are NaN (null in JSON): without rows, every score except those of counts, which
/// are 0; `roc_auc` if a class has no rows or all of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MultiLabelSummary {
    /// Number of rows.
    pub rows: u64,
    /// Mean loss over rows.
    pub loss: f64,
    /// Share of rows whose labels are all correct (`accuracy_score`).
    pub subset_accuracy: f64,
    /// Share of labels that are wrong (`hamming_loss`).
    pub hamming_loss: f64,
    /// Unweighted mean of the classes' precision.
    pub precision_macro: f64,
    /// Unweighted mean of the classes' recall.
    pub recall_macro: f64,
    /// Unweighted mean of the classes' F1.
    pub f1_macro: f64,
    /// Mean of the classes' precision weighted by support.
    pub precision_weighted: f64,
    /// Mean of the classes' recall weighted by support.
    pub recall_weighted: f64,
    /// Mean of the classes' F1 weighted by support.
    pub f1_weighted: f64,
    /// Precision of the summed counts.
    pub precision_micro: f64,
    /// Recall of the summed counts.
    pub recall_micro: f64,
    /// F1 of the summed counts.
    pub f1_micro: f64,
    /// Mean of the rows' precision; 0 for a row without predicted labels.
    pub precision_samples: f64,
    /// Mean of the rows' recall; 0 for a row without labels.
    pub recall_samples: f64,
    /// Mean of the rows' F1; 0 for a row with neither labels nor predicted labels.
    pub f1_samples: f64,
    /// Unweighted mean of the classes' area under the ROC curve (`roc_auc_score`).
    pub roc_auc: f64,
    /// Unweighted mean of the classes' average precision (`average_precision_score`).
    pub average_precision: f64,
    /// The probability from which each class counts as predicted.
    pub thresholds: Vec<f64>,
    /// Precision, recall, F1 and support of each class, by name.
    pub per_class: PerClass,
}

impl MultiLabelSummary {
    pub(crate) fn new(
        class_names: &[String],
        thresholds: &[f64],
        loss: f64,
        counts: &LabelCounts,
        rankings: &RankingMean,
    ) -> Self {
        let (unweighted, weighted) = (counts.macro_average(), counts.weighted_average());
        let (micro, samples) = (counts.micro_average(), counts.samples_average());
        Self {
            rows: counts.rows,
            loss,
            subset_accuracy: ratio(counts.exact as f64, counts.rows as f64),
            hamming_loss: counts.wrong as f64 / (counts.rows as f64 * class_names.len() as f64),
            precision_macro: unweighted.precision,
            recall_macro: unweighted.recall,
            f1_macro: unweighted.f1,
            precision_weighted: weighted.precision,
            recall_weighted: weighted.recall,
            f1_weighted: weighted.f1,
            precision_micro: micro.precision,
            recall_micro: micro.recall,
            f1_micro: micro.f1,
            precision_samples: samples.precision,
            recall_samples: samples.recall,
            f1_samples: samples.f1,
            roc_auc: rankings.roc_auc(),
            average_precision: rankings.average_precision(),
            thresholds: thresholds.to_vec(),
            per_class: PerClass::new(class_names, counts.per_class().to_vec()),
        }
    }

    /// Returns the value of a metric, or `None` if it belongs to another task.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        Some(match metric {
            Metric::Loss => self.loss,
            Metric::SubsetAccuracy => self.subset_accuracy,
            Metric::HammingLoss => self.hamming_loss,
            Metric::PrecisionMacro => self.precision_macro,
            Metric::RecallMacro => self.recall_macro,
            Metric::F1Macro => self.f1_macro,
            Metric::PrecisionWeighted => self.precision_weighted,
            Metric::RecallWeighted => self.recall_weighted,
            Metric::F1Weighted => self.f1_weighted,
            Metric::PrecisionMicro => self.precision_micro,
            Metric::RecallMicro => self.recall_micro,
            Metric::F1Micro => self.f1_micro,
            Metric::PrecisionSamples => self.precision_samples,
            Metric::RecallSamples => self.recall_samples,
            Metric::F1Samples => self.f1_samples,
            Metric::RocAuc => self.roc_auc,
            Metric::AveragePrecision => self.average_precision,
            _ => return None,
        })
    }
}
