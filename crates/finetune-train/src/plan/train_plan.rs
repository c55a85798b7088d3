//! The plan: every setting of a run, resolved. Code that receives it never sees an unset option.

use finetune_data::{BatchSize, ProblemType, Task};
use finetune_metrics::Metric;
use serde::{Deserialize, Serialize};

use crate::{
    AdaptationPlan, ChosenMetric, CustomMetrics, DataPlan, DistillationPlan, EvaluationPlan,
    Interval, ModelPlan, OptimizationPlan, PrecisionChoice, PretrainingPlan, RunLength, SavingPlan,
    Strategy, TrainError, plan::file::PlanFile, resolve_auto,
};

/// The complete settings of a run. The run directory stores them as `plan.toml`; the same plan on the
/// same data and weights gives the same bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "PlanFile", into = "PlanFile")]
pub struct TrainPlan {
    /// The model, and which part of it is trained.
    pub model: ModelPlan,
    /// The rows.
    pub data: DataPlan,
    /// Steps, batches and the optimizer.
    pub optimization: OptimizationPlan,
    /// Evaluations of the validation rows.
    pub evaluation: EvaluationPlan,
    /// Checkpoints, logs and the output.
    pub saving: SavingPlan,
    /// The masks of a run that pretrains on texts without labels; `None` trains on labels.
    pub pretraining: Option<PretrainingPlan>,
    /// Pretraining on the training texts before training; `None` trains the base model as it is.
    pub adaptation: Option<AdaptationPlan>,
    /// What the model learns from a teacher; `None` trains without one.
    pub distillation: Option<DistillationPlan>,
    /// Seed for sampling and ordering rows, initializing the head, and dropout.
    pub seed: u64,
}

/// The defaults of `finetune train` on this machine's default device, without a model, data or classes.
/// For another task or strategy see [`new`](TrainPlan::new).
impl Default for TrainPlan {
    fn default() -> Self {
        let task = Task::new(ProblemType::default(), Vec::new());
        Self::new(&task, Strategy::default(), resolve_auto("auto"))
    }
}

impl TrainPlan {
    /// The default seed.
    pub const SEED: u64 = 42;

    /// Returns the defaults of `finetune train` for a task, a strategy and a device, without a model or
    /// data.
    pub fn new(task: &Task, strategy: Strategy, device: String) -> Self {
        let mut plan = Self::blank();
        plan.data.problem_type = task.problem_type();
        plan.data.labels = task.names().to_vec();
        plan.evaluation.metric_for_best_model =
            EvaluationPlan::default_metric(task.problem_type()).into();
        plan.optimization.learning_rate = strategy.default_learning_rate();
        plan.optimization.head_learning_rate = strategy.default_learning_rate();
        if strategy == Strategy::Features {
            // It takes no steps, so nothing would become due.
            plan.evaluation.eval = Interval::No;
            plan.evaluation.load_best_model_at_end = false;
            plan.saving.save = Interval::No;
        }
        if strategy == Strategy::Contrastive {
            // An epoch has several times as many pairs as there are rows.
            plan.optimization.length = RunLength::Epochs(1.0);
        }
        plan.model.strategy = strategy;
        plan.model.precision = PrecisionChoice::auto(&device);
        plan.model.device = device;
        plan
    }

    /// Returns the defaults of `finetune pretrain` for a strategy and a device, without a model or data.
    pub fn pretraining(strategy: Strategy, device: String) -> Self {
        let mut plan = Self::new(&Task::Classes(Vec::new()), strategy, device);
        plan.pretraining = Some(PretrainingPlan::default());
        plan.evaluation.metric_for_best_model = Metric::Loss.name().into();
        plan.optimization.batch = BatchSize::Tokens(PretrainingPlan::BATCH_TOKENS);
        plan
    }

    /// Checks by their fingerprints that the rows are those of the plan.
    ///
    /// # Errors
    /// Fails with [`TrainError::ChangedRows`], which lists the splits that differ.
    pub fn check_fingerprints(&self, now: &[String]) -> Result<(), TrainError> {
        let were = &self.data.dataset_fingerprints;
        if now == were {
            return Ok(());
        }
        let names = ["training", "validation", "test"].into_iter().enumerate();
        let changed: Vec<_> = names
            .filter(|(index, _)| now.get(*index) != were.get(*index))
            .map(|(_, name)| name)
            .collect();
        let distillation = self.distillation.as_ref();
        let further = distillation.and_then(|plan| plan.unlabelled.clone());
        Err(TrainError::ChangedRows {
            dataset: self.data.dataset.clone(),
            further: further.filter(|_| changed.contains(&"training")),
            changed,
        })
    }

    /// Returns the defaults that do not depend on machine or task.
    pub(crate) fn blank() -> Self {
        Self {
            model: ModelPlan::default(),
            data: DataPlan::default(),
            optimization: OptimizationPlan::default(),
            evaluation: EvaluationPlan::default(),
            saving: SavingPlan::default(),
            pretraining: None,
            adaptation: None,
            distillation: None,
            seed: Self::SEED,
        }
    }

    /// Returns the same plan for a model that a run of it has saved: its head and its word table are the
    /// trained ones.
    pub(crate) fn of_checkpoint(&self) -> Self {
        let mut plan = self.clone();
        plan.model.reset_head = false;
        plan.model.vectors = None;
        plan
    }

    /// Returns whether the model begins with layers of a teacher.
    pub fn has_layers_of_teacher(&self) -> bool {
        let distillation = self.distillation.as_ref();
        distillation.is_some_and(|distillation| !distillation.student_layers.is_empty())
    }

    /// Returns the task that the model is trained for; of one that pretrains, a placeholder of two
    /// classes, as transformers has it.
    pub fn outputs(&self) -> Task {
        if self.pretraining.is_some() {
            return Task::Classes(Task::default_names(2));
        }
        Task::new(self.data.problem_type, self.data.labels.clone())
    }

    /// Returns the metric that selects the best model: one of the task's or of `custom`, or of masked
    /// language modelling.
    ///
    /// # Errors
    /// Fails if there is no such metric.
    pub fn metric(&self, custom: &CustomMetrics) -> Result<ChosenMetric, TrainError> {
        let name = &self.evaluation.metric_for_best_model;
        if self.pretraining.is_some() {
            return Ok(ChosenMetric::masked(name)?);
        }
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
    fn pretraining_has_its_own_defaults() {
        let mut plan = TrainPlan::pretraining(Strategy::Full, "cpu".into());
        assert_eq!(plan.evaluation.metric_for_best_model, "loss");
        assert_eq!(plan.optimization.batch, BatchSize::Tokens(4096));
        plan.check().unwrap();
        plan.evaluation.metric_for_best_model = "accuracy".into();
        let error = plan.check().unwrap_err().to_string();
        assert!(error.contains("loss, perplexity"), "{error}");
    }

    #[test]
    fn without_steps_nothing_is_due() {
        let plan = of(ProblemType::SingleLabelClassification, Strategy::Features);
        assert_eq!(plan.evaluation.eval, Interval::No);
        assert_eq!(plan.saving.save, Interval::No);
        plan.check().unwrap();
    }
}
