//! How long a run trains, on what batches, and with what optimizer.

use std::num::NonZeroUsize;

use finetune_data::BatchSize;

use crate::{LossConfig, OptimizerConfig, RunLength, ScheduleConfig, Strategy, Warmup};

/// Steps, batches, loss and optimizer.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimizationPlan {
    /// How long the run is.
    pub length: RunLength,
    /// What one forward and backward pass takes.
    pub batch: BatchSize,
    /// Batches of this many batches' rows are sorted by length, if they are.
    pub length_buckets: Option<NonZeroUsize>,
    /// Batches per optimizer step. The loss is the mean over all rows of a step.
    pub gradient_accumulation_steps: usize,
    /// Whether the rows of `batch` were made fewer, and `gradient_accumulation_steps` more, until a step
    /// fitted into the memory.
    pub auto_find_batch_size: bool,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Peak learning rate of the head.
    pub head_learning_rate: f64,
    /// Each layer's learning rate is the one above it times this; 1: all have the same.
    pub layerwise_lr_decay: f64,
    /// How long the learning rate rises.
    pub warmup: Warmup,
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
    /// Decay of the moving average of the weights that is evaluated and saved, if there is one.
    pub ema_decay: Option<f64>,
}

impl Default for OptimizationPlan {
    fn default() -> Self {
        let learning_rate = Strategy::default().default_learning_rate();
        Self {
            length: RunLength::default(),
            batch: BatchSize::Rows(Self::BATCH_ROWS),
            length_buckets: None,
            gradient_accumulation_steps: 1,
            auto_find_batch_size: false,
            learning_rate,
            head_learning_rate: learning_rate,
            layerwise_lr_decay: 1.0,
            warmup: Warmup::default(),
            schedule: ScheduleConfig::default(),
            optimizer: OptimizerConfig::default(),
            weight_decay: 0.01,
            max_grad_norm: 1.0,
            label_smoothing_factor: 0.0,
            class_weights: Vec::new(),
            ema_decay: None,
        }
    }
}

impl OptimizationPlan {
    /// Rows of a batch where nothing is said.
    pub(crate) const BATCH_ROWS: usize = 16;

    /// Rows of a batch of rows of `length` tokens.
    pub fn batch_rows(&self, length: usize) -> usize {
        match self.batch {
            BatchSize::Rows(rows) => rows,
            BatchSize::Tokens(tokens) => (tokens / length.max(1)).max(1),
        }
    }

    /// The same, with batches of `rows` rows, of which a step takes `accumulation`.
    pub fn with_batches(&self, rows: usize, accumulation: usize) -> Self {
        Self {
            batch: BatchSize::Rows(rows),
            gradient_accumulation_steps: accumulation,
            ..self.clone()
        }
    }

    /// Takes the batch size that `saved` found to fit, where both leave it to be found.
    pub fn keep_batch_size_of(&mut self, saved: &Self) {
        let (BatchSize::Rows(now), BatchSize::Rows(was)) = (self.batch, saved.batch) else {
            return;
        };
        let both = self.auto_find_batch_size && saved.auto_find_batch_size;
        let accumulation = saved.gradient_accumulation_steps;
        if both && now * self.gradient_accumulation_steps == was * accumulation {
            *self = self.with_batches(was, accumulation);
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
