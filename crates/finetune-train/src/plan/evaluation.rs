//! When the validation rows are evaluated, and what follows from it.

use std::num::NonZeroU64;

use finetune_data::ProblemType;
use finetune_infer::objective;

use crate::Interval;

/// Evaluations, the choice of the best model, and early stopping.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluationPlan {
    /// When the validation rows are evaluated.
    pub eval: Interval,
    /// Rows per batch of evaluation.
    pub eval_batch_size: usize,
    /// Whether the untouched model is evaluated first, for comparison.
    pub eval_on_start: bool,
    /// Whether the result is the best model of all evaluations, not the last.
    pub load_best_model_at_end: bool,
    /// The metric on the validation rows by which the best model is kept.
    pub metric_for_best_model: String,
    /// Evaluations without improvement after which the run stops, if it does.
    pub early_stopping_patience: Option<NonZeroU64>,
    /// An improvement must be larger than this to count for early stopping.
    pub early_stopping_threshold: f64,
}

impl EvaluationPlan {
    /// The metric by which the best model of a task is kept, where nothing is said.
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
