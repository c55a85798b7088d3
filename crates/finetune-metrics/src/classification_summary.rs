//! All metrics of a classifier, serializable as JSON.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::confusion::ConfusionMatrix;
use crate::name::Metric;
use crate::probability::ProbabilityScores;
use crate::scores::Scores;

/// The metrics of a classifier over a data set.
///
/// Undefined metrics are NaN (null in JSON): without rows, every score except those of counts, which
/// are 0; `roc_auc` if a class has no rows or all of them; `cohen_kappa` if only one class occurs among
/// targets and predictions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassificationSummary {
    /// Number of rows.
    pub rows: u64,
    /// Mean loss over rows.
    pub loss: f64,
    /// Share of correctly predicted rows.
    pub accuracy: f64,
    /// Mean recall of the classes that occur (`balanced_accuracy_score`).
    pub balanced_accuracy: f64,
    /// Unweighted mean of the classes' precision.
    pub precision_macro: f64,
    /// Unweighted mean of the classes' recall (the balanced accuracy if every class occurs).
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
    /// Matthews correlation coefficient (`matthews_corrcoef`).
    pub mcc: f64,
    /// Cohen's kappa, unweighted (`cohen_kappa_score`).
    pub cohen_kappa: f64,
    /// Area under the ROC curve (`roc_auc_score`): that of class 1 if there are two classes, otherwise
    /// the unweighted mean over the classes, one versus rest.
    pub roc_auc: f64,
    /// Average precision (`average_precision_score`) of the same classes; 0 for a class without rows.
    pub average_precision: f64,
    /// Mean negative logarithm of the target's probability, in nats (`log_loss`): the loss without
    /// label smoothing or class weights.
    pub log_loss: f64,
    /// Mean squared distance between the probabilities and the one-hot target, in [0, 2]; half of it, in
    /// [0, 1], for two classes, which is the squared error of the positive class's probability. This is
    /// `brier_score_loss` with its default `scale_by_half="auto"`.
    pub brier: f64,
    /// Expected calibration error over 15 bins of equal width.
    pub ece: f64,
    /// Mean probability of the predicted class.
    pub confidence: f64,
    /// Share of rows whose target is among the 2 most probable classes (`top_k_accuracy_score`); absent
    /// unless there are more classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_2_accuracy: Option<f64>,
    /// Share of rows whose target is among the 3 most probable classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_3_accuracy: Option<f64>,
    /// Share of rows whose target is among the 4 most probable classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_4_accuracy: Option<f64>,
    /// Share of rows whose target is among the 5 most probable classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_5_accuracy: Option<f64>,
    /// Precision, recall, F1 and support of each class, by name.
    pub per_class: PerClass,
    /// Counts, `[classes, classes]`, with a row per target and a column per prediction.
    pub confusion_matrix: Vec<Vec<u64>>,
}

impl ClassificationSummary {
    pub(crate) fn new(
        class_names: &[String],
        matrix: &ConfusionMatrix,
        loss: f64,
        probabilities: &ProbabilityScores,
    ) -> Self {
        let per_class = matrix.per_class();
        let unweighted = Scores::macro_average(&per_class);
        let weighted = Scores::weighted_average(&per_class);
        let micro = matrix.micro_average();
        let [
            top_2_accuracy,
            top_3_accuracy,
            top_4_accuracy,
            top_5_accuracy,
        ] = probabilities.top_k;
        Self {
            rows: matrix.rows(),
            loss,
            accuracy: matrix.accuracy(),
            balanced_accuracy: matrix.balanced_accuracy(),
            precision_macro: unweighted.precision,
            recall_macro: unweighted.recall,
            f1_macro: unweighted.f1,
            precision_weighted: weighted.precision,
            recall_weighted: weighted.recall,
            f1_weighted: weighted.f1,
            precision_micro: micro.precision,
            recall_micro: micro.recall,
            f1_micro: micro.f1,
            mcc: matrix.mcc(),
            cohen_kappa: matrix.cohen_kappa(),
            roc_auc: probabilities.roc_auc,
            average_precision: probabilities.average_precision,
            log_loss: probabilities.log_loss,
            brier: probabilities.brier,
            ece: probabilities.ece,
            confidence: probabilities.confidence,
            top_2_accuracy,
            top_3_accuracy,
            top_4_accuracy,
            top_5_accuracy,
            per_class: PerClass::new(class_names, per_class),
            confusion_matrix: matrix.to_rows(),
        }
    }

    /// Returns the value of a metric, or `None` if a classifier does not have it, such as a regression
    /// metric or a top-k accuracy over at most k classes.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        Some(match metric {
            Metric::Loss => self.loss,
            Metric::Accuracy => self.accuracy,
            Metric::BalancedAccuracy => self.balanced_accuracy,
            Metric::PrecisionMacro => self.precision_macro,
            Metric::RecallMacro => self.recall_macro,
            Metric::F1Macro => self.f1_macro,
            Metric::PrecisionWeighted => self.precision_weighted,
            Metric::RecallWeighted => self.recall_weighted,
            Metric::F1Weighted => self.f1_weighted,
            Metric::PrecisionMicro => self.precision_micro,
            Metric::RecallMicro => self.recall_micro,
            Metric::F1Micro => self.f1_micro,
            Metric::Mcc => self.mcc,
            Metric::CohenKappa => self.cohen_kappa,
            Metric::RocAuc => self.roc_auc,
            Metric::AveragePrecision => self.average_precision,
            Metric::LogLoss => self.log_loss,
            Metric::Brier => self.brier,
            Metric::Ece => self.ece,
            Metric::Top2Accuracy => return self.top_2_accuracy,
            Metric::Top3Accuracy => return self.top_3_accuracy,
            Metric::Top4Accuracy => return self.top_4_accuracy,
            Metric::Top5Accuracy => return self.top_5_accuracy,
            _ => return None,
        })
    }
}

/// Scores by class name, in class order, which serialize as a map.
#[derive(Clone, Debug, PartialEq)]
pub struct PerClass(pub Vec<(String, Scores)>);

impl PerClass {
    pub(crate) fn new(class_names: &[String], scores: Vec<Scores>) -> Self {
        Self(class_names.iter().cloned().zip(scores).collect())
    }
}

impl Serialize for PerClass {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, scores) in &self.0 {
            map.serialize_entry(name, scores)?;
        }
        map.end()
    }
}
