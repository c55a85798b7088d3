//! The plan: every setting of a run, resolved. Nothing below it sees an unset option.

use std::collections::BTreeMap;

use finetune_data::{CsvOptions, ProblemType};
use finetune_kernels::Precision;
use finetune_models::Outputs;
use finetune_peft::{Ia3Config, LoraConfig};
use serde::{Deserialize, Serialize};

use crate::{
    ChosenMetric, CustomMetrics, FeatureLimits, IntervalStrategy, LossConfig, OptimizerConfig,
    ParameterGroups, ReportTo, ScheduleConfig, Strategy, TrainError,
};

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
    /// SHA-256 of the other files that decide what it computes, by name: its configuration and its
    /// tokenizer's, and with `adapter` those of the adapter. Empty in plans of earlier versions.
    #[serde(default)]
    pub model_files: BTreeMap<String, String>,
    /// The data set, as named by the user.
    pub dataset: String,
    /// Its configuration on the hub; empty: a file or directory.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dataset_config: String,
    /// Its commit on the hub, whatever revision was asked for; empty: a file or directory.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dataset_revision: String,
    /// Fingerprints of the tokenized training, validation and test rows: of texts, labels and
    /// tokenizer.
    pub dataset_fingerprints: Vec<String>,
    /// Split expression of the training rows.
    pub train_split: String,
    /// Split expression of the validation rows; empty: a share of the training rows.
    pub validation_split: String,
    /// That share, drawn class by class.
    pub validation_fraction: f64,
    /// Split expression of the test rows; empty: none.
    pub test_split: String,
    /// How CSV files are read, where that is not left to be recognised.
    #[serde(default, skip_serializing_if = "CsvOptions::is_default")]
    pub csv: CsvOptions,
    /// One text column, or two for pairs.
    pub text_column: Vec<String>,
    /// The label column, or one per output.
    pub label_column: Vec<String>,
    /// Names of the outputs in order: of the classes, or of the numbers of a regression.
    pub labels: Vec<String>,
    /// Whether names in the data, or of a model's outputs, that match none of these are taken by
    /// position.
    #[serde(default)]
    pub labels_by_position: bool,
    /// What the labels are.
    pub problem_type: ProblemType,
    /// What separates the labels of a row in one cell, where something does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_separator: Option<char>,
    /// Whether rows without a text or a label are left out.
    #[serde(default)]
    pub skip_invalid: bool,
    /// What is trained.
    pub strategy: Strategy,
    /// Directory of an adapter that the run goes on with; empty: a fresh one.
    #[serde(default)]
    pub adapter: String,
    /// Dropout in layers below the lowest trained one, as transformers has it. Off, they are a
    /// fixed function of the text: the head learns from what prediction will see.
    #[serde(default)]
    pub frozen_dropout: bool,
    /// For `gradual`: epochs from one layer that is unfrozen to the next.
    pub unfreeze_every: f64,
    /// Passes over the training rows; need not be whole.
    pub epochs: f64,
    /// Number of steps; 0: as many as `epochs` take.
    pub max_steps: u64,
    /// Training rows, drawn at random; 0: all.
    pub train_rows: u64,
    /// Validation rows, drawn at random; 0: all.
    pub eval_rows: u64,
    /// Rows per forward and backward pass.
    pub batch_size: usize,
    /// Instead of `batch_size`: as many rows as fit into so many tokens, a longer row alone; 0: by rows.
    #[serde(default)]
    pub batch_tokens: usize,
    /// Batches per optimizer step. The loss is the mean over all rows of a step.
    pub gradient_accumulation_steps: usize,
    /// Whether `batch_size` was made smaller, and `gradient_accumulation_steps` larger, until a step
    /// fitted into the memory.
    pub auto_find_batch_size: bool,
    /// Rows per batch of evaluation.
    pub eval_batch_size: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Peak learning rate of the head.
    pub head_learning_rate: f64,
    /// Each layer's learning rate is the one above it times this; 1: all have the same.
    pub layerwise_lr_decay: f64,
    /// Share of the steps in which the learning rate rises.
    pub warmup_ratio: f64,
    /// Number of those steps instead; 0: by the share.
    pub warmup_steps: u64,
    /// The learning rate's course.
    pub schedule: ScheduleConfig,
    /// The optimizer and its settings.
    pub optimizer: OptimizerConfig,
    /// Decoupled weight decay; not on biases and norms.
    pub weight_decay: f64,
    /// Gradients are scaled down to this global norm.
    pub max_grad_norm: f64,
    /// Share of the target that is spread evenly over all classes.
    pub label_smoothing_factor: f64,
    /// Weight of each class in the loss (of a multi-label model: of its positives); empty: all 1.
    pub class_weights: Vec<f32>,
    /// Decay of the moving average of the weights that is evaluated and saved; 0: none.
    pub ema_decay: f64,
    /// Longest row, in tokens.
    pub max_length: usize,
    /// Batches of this many batches' rows are sorted by length; 0: not.
    pub length_buckets: usize,
    /// Seed of the rows drawn, their order, the head's initial weights and dropout.
    pub seed: u64,
    /// The device's name.
    pub device: String,
    /// In which numbers the encoder's matrix products are computed.
    #[serde(default, with = "crate::infer::precision::PrecisionName")]
    pub precision: Precision,
    /// When the validation rows are evaluated.
    pub eval_strategy: IntervalStrategy,
    /// Steps between, for `steps`.
    pub eval_steps: u64,
    /// Whether the untouched model is evaluated first, for comparison.
    pub eval_on_start: bool,
    /// When checkpoints are saved.
    pub save_strategy: IntervalStrategy,
    /// Steps between, for `steps`.
    pub save_steps: u64,
    /// Number of the newest checkpoints that are kept, beside the best.
    pub save_total_limit: usize,
    /// Bytes that checkpoints may take together; 0: no limit.
    pub save_bytes_limit: u64,
    /// When losses are logged.
    pub logging_strategy: IntervalStrategy,
    /// Steps between, for `steps`.
    pub logging_steps: u64,
    /// Whether the result is the best model of all evaluations, not the last.
    pub load_best_model_at_end: bool,
    /// The metric on the validation rows by which the best model is kept.
    pub metric_for_best_model: String,
    /// Evaluations without improvement after which the run stops; 0: it never does.
    pub early_stopping_patience: u64,
    /// An improvement must be larger than this to count for early stopping.
    pub early_stopping_threshold: f64,
    /// How much of what frozen layers compute is kept.
    pub feature_cache: FeatureLimits,
    /// Where the run is reported to.
    #[serde(default)]
    pub report_to: ReportTo,
    /// The run directory. Where it is relative, it stands against the same folder as the other relative
    /// paths.
    pub output: String,
    /// LoRA's settings, with peft's names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraConfig>,
    /// IA³'s settings, with peft's names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ia3: Option<Ia3Config>,
}

/// The defaults of `finetune train`, for a model, data and labels that are yet to be named.
impl Default for TrainPlan {
    fn default() -> Self {
        let strategy = Strategy::default();
        let learning_rate = strategy.default_learning_rate();
        Self {
            model: String::new(),
            revision: String::new(),
            model_sha256: String::new(),
            model_files: BTreeMap::new(),
            dataset: String::new(),
            dataset_config: String::new(),
            dataset_revision: String::new(),
            dataset_fingerprints: Vec::new(),
            train_split: "train".into(),
            validation_split: String::new(),
            validation_fraction: 0.1,
            test_split: String::new(),
            csv: CsvOptions::default(),
            text_column: Vec::new(),
            label_column: Vec::new(),
            labels: Vec::new(),
            labels_by_position: false,
            problem_type: ProblemType::SingleLabelClassification,
            label_separator: None,
            skip_invalid: false,
            strategy,
            adapter: String::new(),
            frozen_dropout: false,
            unfreeze_every: 0.5,
            epochs: 3.0,
            max_steps: 0,
            train_rows: 0,
            eval_rows: 0,
            batch_size: 16,
            batch_tokens: 0,
            gradient_accumulation_steps: 1,
            auto_find_batch_size: false,
            eval_batch_size: 32,
            learning_rate,
            head_learning_rate: learning_rate,
            layerwise_lr_decay: 1.0,
            warmup_ratio: 0.1,
            warmup_steps: 0,
            schedule: ScheduleConfig::default(),
            optimizer: OptimizerConfig::default(),
            weight_decay: 0.01,
            max_grad_norm: 1.0,
            label_smoothing_factor: 0.0,
            class_weights: Vec::new(),
            ema_decay: 0.0,
            max_length: 256,
            length_buckets: 0,
            seed: 42,
            device: "cpu".into(),
            precision: Precision::F32,
            eval_strategy: IntervalStrategy::Epoch,
            eval_steps: 0,
            eval_on_start: true,
            save_strategy: IntervalStrategy::Epoch,
            save_steps: 0,
            save_total_limit: 2,
            save_bytes_limit: 0,
            logging_strategy: IntervalStrategy::Steps,
            logging_steps: 1,
            load_best_model_at_end: true,
            metric_for_best_model: "loss".into(),
            early_stopping_patience: 0,
            early_stopping_threshold: 0.0,
            feature_cache: FeatureLimits::default(),
            report_to: ReportTo::default(),
            output: String::new(),
            lora: None,
            ia3: None,
        }
    }
}

impl TrainPlan {
    /// What the model predicts.
    pub fn outputs(&self) -> Outputs {
        Outputs::new(self.problem_type, self.labels.clone())
    }

    /// The metric by which the best model is kept: one of the task's, or of the caller's own.
    pub fn metric(&self, custom: &CustomMetrics) -> Result<ChosenMetric, TrainError> {
        custom.choose(&self.metric_for_best_model, self.problem_type)
    }

    /// Takes the batch size that `saved` found to fit, where both leave it to be found.
    pub fn keep_batch_size_of(&mut self, saved: &Self) {
        let rows = |plan: &Self| plan.batch_size * plan.gradient_accumulation_steps;
        let both = self.auto_find_batch_size && saved.auto_find_batch_size;
        if both && rows(self) == rows(saved) {
            self.batch_size = saved.batch_size;
            self.gradient_accumulation_steps = saved.gradient_accumulation_steps;
        }
    }

    /// Settings of the parameters by their place in the model.
    pub fn parameter_groups(&self, num_layers: usize) -> ParameterGroups {
        ParameterGroups {
            weight_decay: self.weight_decay,
            layerwise_lr_decay: self.layerwise_lr_decay,
            head_lr_scale: self.head_learning_rate / self.learning_rate,
            num_layers,
        }
    }

    /// The head's learning rate where that of the others is `learning_rate`, if it is another.
    pub fn head_learning_rate_at(&self, learning_rate: f64) -> Option<f64> {
        let scale = self.head_learning_rate / self.learning_rate;
        (scale != 1.0).then_some(learning_rate * scale)
    }

    /// The loss.
    pub fn loss(&self) -> LossConfig {
        LossConfig {
            label_smoothing_factor: self.label_smoothing_factor,
            class_weights: self.class_weights.clone(),
        }
    }
}
