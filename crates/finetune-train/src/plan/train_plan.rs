//! The plan: every setting of a run, resolved. Nothing below it sees an unset option.

use finetune_data::{ProblemType, Task};
use serde::{Deserialize, Serialize};

use crate::{
    ChosenMetric, CustomMetrics, DataPlan, EvaluationPlan, Interval, ModelPlan, OptimizationPlan,
    PrecisionChoice, SavingPlan, Strategy, TrainError, plan::file::PlanFile, resolve_auto,
};

/// What a run does. Written as `plan.toml` into the run directory; the same plan on the same data
/// and weights gives the same bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "PlanFile", into = "PlanFile")]
pub struct TrainPlan {
    /// The model, and what of it is trained.
    pub model: ModelPlan,
    /// The rows.
    pub data: DataPlan,
    /// Steps, batches and the optimizer.
    pub optimization: OptimizationPlan,
    /// Evaluations of the validation rows.
    pub evaluation: EvaluationPlan,
    /// What the run leaves.
    pub saving: SavingPlan,
    /// Seed of the rows drawn, their order, the head's initial weights and dropout.
    pub seed: u64,
}

/// What `finetune train` does where nothing is said, on the device that it takes on this machine, for a
/// model, data and classes that are yet to be named. For another task or strategy see
/// [`new`](TrainPlan::new).
impl Default for TrainPlan {
    fn default() -> Self {
        let task = Task::new(ProblemType::default(), Vec::new());
        Self::new(&task, Strategy::default(), resolve_auto("auto"))
    }
}

impl TrainPlan {
    /// The seed where none is given.
    pub const SEED: u64 = 42;

    /// What `finetune train` does where nothing else is said than the task, the strategy and the device;
    /// for a model and data that are yet to be named.
    pub fn new(task: &Task, strategy: Strategy, device: String) -> Self {
        let mut plan = Self::blank();
        plan.data.problem_type = task.problem_type();
        plan.data.labels = task.names().to_vec();
        plan.evaluation.metric_for_best_model =
            EvaluationPlan::default_metric(task.problem_type()).into();
        plan.optimization.learning_rate = strategy.default_learning_rate();
        plan.optimization.head_learning_rate = strategy.default_learning_rate();
        if strategy == Strategy::Features {
            // It takes no step after which anything would be due.
            plan.evaluation.eval = Interval::No;
            plan.evaluation.load_best_model_at_end = false;
            plan.saving.save = Interval::No;
        }
        plan.model.strategy = strategy;
        plan.model.precision = PrecisionChoice::default().resolve(&device);
        plan.model.device = device;
        plan
    }

    /// The defaults that are the same on every machine and for every task.
    pub(crate) fn blank() -> Self {
        Self {
            model: ModelPlan::default(),
            data: DataPlan::default(),
            optimization: OptimizationPlan::default(),
            evaluation: EvaluationPlan::default(),
            saving: SavingPlan::default(),
            seed: Self::SEED,
        }
    }

    /// What the model predicts.
    pub fn outputs(&self) -> Task {
        Task::new(self.data.problem_type, self.data.labels.clone())
    }

    /// The metric by which the best model is kept: one of the task's, or of the caller's own.
    pub fn metric(&self, custom: &CustomMetrics) -> Result<ChosenMetric, TrainError> {
        let name = &self.evaluation.metric_for_best_model;
        Ok(custom.choose(name, self.data.problem_type)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(problem_type: ProblemType, strategy: Strategy) -> TrainPlan {
        let names = vec!["a".into(), "b".into()];
        TrainPlan::new(&Task::new(problem_type, names), strategy, "cpu".into())
    }

    #[test]
    fn defaults_follow_task_and_strategy() {
        let plan = of(ProblemType::Regression, Strategy::Lora);
        assert_eq!(plan.evaluation.metric_for_best_model, "mse");
        let rate = Strategy::Lora.default_learning_rate();
        assert_eq!(plan.optimization.learning_rate, rate);
        assert_eq!(plan.optimization.head_learning_rate, rate);
        plan.check().unwrap();
        let plan = of(ProblemType::MultiLabelClassification, Strategy::Full);
        assert_eq!(plan.evaluation.metric_for_best_model, "average_precision");
        plan.check().unwrap();
    }

    #[test]
    fn without_steps_nothing_is_due() {
        let plan = of(ProblemType::SingleLabelClassification, Strategy::Features);
        assert_eq!(plan.evaluation.eval, Interval::No);
        assert_eq!(plan.saving.save, Interval::No);
        plan.check().unwrap();
    }
}
