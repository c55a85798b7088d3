//! The plan: every setting of a run, resolved. Nothing below it sees an unset option.

use finetune_data::ProblemType;
use finetune_metrics::{Metric, Task};
use finetune_models::Outputs;
use finetune_peft::{Ia3Config, LoraConfig};
use serde::{Deserialize, Serialize};

use crate::{AdamWConfig, Strategy, TrainError};

/// What a run does. Written as `plan.toml` into the run directory; the same plan on the same data
/// and weights gives the same bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainPlan {
    /// The base model, as named by the user.
    pub model: String,
    /// Its revision on the hub; empty: the hub's default.
    #[serde(default)]
    pub revision: String,
    /// SHA-256 of its weights.
    pub model_sha256: String,
    /// The data set, as named by the user.
    pub dataset: String,
    /// Split expression of the training rows.
    pub train_split: String,
    /// Split expression of the validation rows; empty: a share of the training rows.
    pub validation_split: String,
    /// That share, drawn class by class.
    pub validation_fraction: f64,
    /// Split expression of the test rows; empty: none.
    pub test_split: String,
    /// One text column, or two for pairs.
    pub text_column: Vec<String>,
    /// The label column, or one per output.
    pub label_column: Vec<String>,
    /// Names of the outputs in order: of the classes, or of the numbers of a regression.
    pub labels: Vec<String>,
    /// What the labels are.
    pub problem_type: ProblemType,
    /// What is trained.
    pub strategy: Strategy,
    /// Directory of an adapter that the run goes on with; empty: a fresh one.
    #[serde(default)]
    pub adapter: String,
    /// Dropout in layers below the lowest trained one, as transformers has it. Off, they are a
    /// fixed function of the text: the head learns from what prediction will see.
    #[serde(default)]
    pub frozen_dropout: bool,
    /// Passes over the training rows; need not be whole.
    pub epochs: f64,
    /// Number of steps; 0: as many as `epochs` take.
    pub max_steps: u64,
    /// Training rows, drawn at random; 0: all.
    pub train_rows: u64,
    /// Validation rows, drawn at random; 0: all.
    pub eval_rows: u64,
    /// Rows per step.
    pub batch_size: usize,
    /// Rows per batch of evaluation.
    pub eval_batch_size: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Share of the steps in which the learning rate rises.
    pub warmup_ratio: f64,
    /// Settings of AdamW.
    pub optimizer: AdamWConfig,
    /// Gradients are scaled down to this global norm.
    pub max_grad_norm: f64,
    /// Longest row, in tokens.
    pub max_length: usize,
    /// Batches of this many batches' rows are sorted by length; 0: not.
    pub length_buckets: usize,
    /// Seed of the rows drawn, their order, the head's initial weights and dropout.
    pub seed: u64,
    /// The device's name.
    pub device: String,
    /// The metric on the validation rows by which the best model is kept.
    pub metric_for_best_model: String,
    /// The run directory.
    pub output: String,
    /// LoRA's settings, with peft's names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraConfig>,
    /// IA³'s settings, with peft's names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ia3: Option<Ia3Config>,
}

impl TrainPlan {
    /// What the model predicts.
    pub fn outputs(&self) -> Outputs {
        let names = self.labels.clone();
        match self.problem_type {
            ProblemType::SingleLabelClassification => Outputs::Classes(names),
            ProblemType::MultiLabelClassification => Outputs::MultiLabel(names),
            ProblemType::Regression => Outputs::Regression(names),
        }
    }

    /// The metric's task.
    pub fn task(&self) -> Task {
        match self.problem_type {
            ProblemType::SingleLabelClassification => Task::Classification,
            ProblemType::MultiLabelClassification => Task::MultiLabel,
            ProblemType::Regression => Task::Regression,
        }
    }

    /// The metric by which the best model is kept.
    pub fn metric(&self) -> Result<Metric, TrainError> {
        Ok(Metric::parse(&self.metric_for_best_model, self.task())?)
    }

    /// Refuses settings with which no run makes sense, before any work.
    pub fn check(&self) -> Result<(), TrainError> {
        let refuse = |condition: bool, message: String| match condition {
            true => Err(TrainError::Plan(message)),
            false => Ok(()),
        };
        let Self {
            epochs,
            max_steps,
            learning_rate,
            warmup_ratio,
            max_grad_norm,
            ..
        } = *self;
        let AdamWConfig {
            beta_1,
            beta_2,
            epsilon,
            weight_decay,
        } = self.optimizer;
        refuse(
            !(epochs > 0.0 && epochs.is_finite()) && max_steps == 0,
            format!("epochs is {epochs}; expected a number above 0"),
        )?;
        refuse(
            self.batch_size == 0 || self.eval_batch_size == 0,
            "the batch size is 0; expected at least 1".into(),
        )?;
        refuse(
            !(learning_rate > 0.0 && learning_rate.is_finite()),
            format!("learning_rate is {learning_rate}; expected a number above 0, such as 5e-5"),
        )?;
        refuse(
            !(0.0..=1.0).contains(&warmup_ratio),
            format!("warmup_ratio is {warmup_ratio}; expected a share from 0 to 1"),
        )?;
        refuse(
            !(weight_decay >= 0.0 && weight_decay.is_finite()),
            format!("weight_decay is {weight_decay}; expected 0 or more"),
        )?;
        refuse(
            !(0.0..1.0).contains(&beta_1) || !(0.0..1.0).contains(&beta_2) || epsilon <= 0.0,
            format!(
                "AdamW's betas are {beta_1} and {beta_2}, epsilon {epsilon}; expected betas in [0, 1) and epsilon above 0"
            ),
        )?;
        refuse(
            max_grad_norm.is_nan() || max_grad_norm <= 0.0,
            format!("max_grad_norm is {max_grad_norm}; expected a number above 0"),
        )?;
        let fraction = self.validation_fraction;
        refuse(
            !(fraction > 0.0 && fraction < 1.0),
            format!("validation_fraction is {fraction}; expected a share between 0 and 1"),
        )?;
        let tables = [
            ("lora", self.lora.is_some(), Strategy::Lora),
            ("ia3", self.ia3.is_some(), Strategy::Ia3),
        ];
        for (table, given, strategy) in tables {
            refuse(
                given && self.strategy != strategy,
                format!(
                    "{table} has settings, but the strategy is {}; add --strategy {strategy}, or leave them out",
                    self.strategy
                ),
            )?;
        }
        if let Some(lora) = &self.lora {
            lora.check()?;
        }
        refuse(
            !self.adapter.is_empty() && !self.strategy.is_adapter(),
            format!(
                "there is an adapter to go on with, but the strategy is {}; expected lora or ia3",
                self.strategy
            ),
        )?;
        refuse(
            !self.adapter.is_empty() && (self.lora.is_some() || self.ia3.is_some()),
            "an adapter to go on with brings its own settings; leave lora and ia3 out".into(),
        )?;
        refuse(
            self.max_length < 3,
            format!(
                "max_length is {}; expected at least 3: two special tokens and one of text",
                self.max_length
            ),
        )?;
        self.metric().map(drop)
    }

    /// Number of optimizer steps when an epoch has `per_epoch`.
    pub fn total_steps(&self, per_epoch: u64) -> u64 {
        match self.max_steps {
            0 => ((self.epochs * per_epoch as f64).ceil() as u64).max(1),
            steps => steps,
        }
    }
}
