//! When the validation rows are evaluated, and how the results are used.

use std::num::NonZeroU64;

use finetune_data::ProblemType;
use finetune_infer::objective;

use crate::Interval;

/// Evaluations, the choice of the best model, and early stopping.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluationPlan {
    /// When the validation rows are evaluated.
    pub eval: Interval,
    /// Rows per evaluation batch.
    pub eval_batch_size: usize,
    /// Whether the model is also evaluated before the first step, for comparison.
    pub eval_on_start: bool,
    /// Whether the run keeps the best evaluated model instead of the last one.
    pub load_best_model_at_end: bool,
    /// The metric on the validation rows that selects the best model.
    pub metric_for_best_model: String,
    /// Number of evaluations without improvement after which the run stops; `None` never stops early.
    pub early_stopping_patience: Option<NonZeroU64>,
    /// Early stopping counts only improvements larger than this.
    pub early_stopping_threshold: f64,
}

impl EvaluationPlan {
    /// Returns the default metric that selects the best model for a problem type.
    pub fn default_metric(problem_type: ProblemType) -> &'static str {
        objective::of(problem_type).default_metric().name()
    }
}

impl Default for EvaluationPlan {
    fn default() -> Self {
        Self {
            eval: Interval::Epoch,
            eval_batch_size: 32,
            eval_on_start: true,
            load_best_model_at_end: true,
            metric_for_best_model: Self::default_metric(ProblemType::default()).into(),
            early_stopping_patience: None,
            early_stopping_threshold: 0.0,
        }
    }
}
