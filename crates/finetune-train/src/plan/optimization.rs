//! How long a run trains, on which batches, and with which optimizer.

use std::num::NonZeroUsize;

use finetune_data::BatchSize;

use crate::{LossConfig, OptimizerConfig, RunLength, ScheduleConfig, Strategy, Warmup};

/// Steps, batches, loss and optimizer.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimizationPlan {
    /// The length of the run.
    pub length: RunLength,
    /// The size of a batch, which takes one forward and backward pass.
    pub batch: BatchSize,
    /// Number of batches whose rows are sorted by length together; `None` does not sort.
    pub length_buckets: Option<NonZeroUsize>,
    /// Batches per optimizer step. The loss is the mean over all rows of a step.
    pub gradient_accumulation_steps: usize,
    /// Whether `batch` was reduced, and `gradient_accumulation_steps` increased, until a step fit into
    /// memory.
    pub auto_find_batch_size: bool,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Peak learning rate of the head.
    pub head_learning_rate: f64,
    /// Each layer's learning rate as a fraction of the one above it; 1 gives all layers the same.
    pub layerwise_lr_decay: f64,
    /// Warm-up of the learning rate.
    pub warmup: Warmup,
    /// Schedule of the learning rate.
    pub schedule: ScheduleConfig,
    /// The optimizer and its settings.
    pub optimizer: OptimizerConfig,
    /// Decoupled weight decay, which excludes biases and norms.
    pub weight_decay: f64,
    /// Largest global norm of the gradients; larger gradients are scaled down to it.
    pub max_grad_norm: f64,
    /// Share of the target that is spread evenly over all classes.
    pub label_smoothing_factor: f64,
    /// Weight of each class in the loss (for a multi-label model, of its positives); empty means 1 for
    /// all.
    pub class_weights: Vec<f32>,
    /// Decay of the moving average of the weights that is evaluated and saved; `None` keeps no average.
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
    /// Default number of rows per batch.
    pub(crate) const BATCH_ROWS: usize = 16;

    /// Returns the number of rows per batch if each row has `length` tokens.
    pub fn batch_rows(&self, length: usize) -> usize {
        match self.batch {
            BatchSize::Rows(rows) => rows,
            BatchSize::Tokens(tokens) => (tokens / length.max(1)).max(1),
        }
    }

    /// Returns these settings with batches of `rows` rows and `accumulation` batches per step.
    pub fn with_batches(&self, rows: usize, accumulation: usize) -> Self {
        Self {
            batch: BatchSize::Rows(rows),
            gradient_accumulation_steps: accumulation,
            ..self.clone()
        }
    }

    /// Adopts the batch size found for `saved`, if both plans ask to find one.
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

    /// Returns the head's learning rate while that of the rest is `learning_rate`, if it differs.
    pub fn head_learning_rate_at(&self, learning_rate: f64) -> Option<f64> {
        let scale = self.head_learning_rate / self.learning_rate;
        (scale != 1.0).then_some(learning_rate * scale)
    }

    /// Returns the loss settings.
    pub fn loss(&self) -> LossConfig {
        LossConfig {
            label_smoothing_factor: self.label_smoothing_factor,
            class_weights: self.class_weights.clone(),
        }
    }
}
