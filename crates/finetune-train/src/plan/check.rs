//! Checks that refuse meaningless settings before any work is done.

use std::{fmt, num::NonZeroUsize};

use finetune_data::BatchSize;

use crate::{
    AdaptationPlan, CustomMetrics, DataPlan, EvaluationPlan, FeatureLimits, Interval, ModelPlan,
    OptimizationPlan, PretrainingPlan, RunLength, SchedulerType, Strategy, TrainError, TrainPlan,
    Warmup, plan::run_length::check_epochs,
};

/// Upper limit of a count. No run needs more, and products of larger values could overflow.
const MAX_STEPS: u64 = 1_000_000_000;
const MAX_PER_STEP: usize = 10_000_000;

impl TrainPlan {
    /// Checks that the settings make sense, individually and together.
    ///
    /// # Errors
    /// Fails if a setting is invalid or contradicts another; the message names them.
    pub fn check(&self) -> Result<(), TrainError> {
        self.check_with(&CustomMetrics::default())
    }

    /// Checks the settings like [`check`](Self::check), where `metric_for_best_model` may be one of
    /// `metrics`.
    ///
    /// # Errors
    /// Fails if a setting is invalid or contradicts another; the message names them.
    pub fn check_with(&self, metrics: &CustomMetrics) -> Result<(), TrainError> {
        self.data.check()?;
        self.optimization.check_batches()?;
        self.optimization.check()?;
        self.optimization.loss().check(&self.outputs())?;
        self.evaluation.check(self.saving.save)?;
        self.model.check()?;
        // These say which strategies they have; the settings of others come after.
        if let Some(pretraining) = &self.pretraining {
            pretraining.check(self)?;
        }
        if let Some(adaptation) = &self.adaptation {
            adaptation.check(self)?;
        }
        if let Some(distillation) = &self.distillation {
            distillation.check(self)?;
        }
        self.model.contrastive.check(self)?;
        self.metric(metrics).map(drop)
    }
}

impl AdaptationPlan {
    fn check(&self, plan: &TrainPlan) -> Result<(), TrainError> {
        let (epochs, rate) = (self.epochs, self.learning_rate);
        let valid = epochs > 0.0 && epochs.is_finite();
        value(valid, "adapt_epochs", epochs, "a number above 0")?;
        check_epochs(epochs)?;
        let valid = rate > 0.0 && rate.is_finite();
        let expected = "a number above 0, such as 1e-4";
        value(valid, "adapt_learning_rate", rate, expected)?;
        self.masks.check_share()?;
        let strategy = &plan.model.strategy;
        conflict(strategy.is_adapter(), ["adaptation", "strategy"], || {
            format!(
                "adapt_epochs changes the base model, but the result of strategy {strategy} is an adapter of an unchanged one; pretrain first with `finetune pretrain`, and then train on its result"
            )
        })?;
        let (optimization, keys) = (&plan.optimization, ["adaptation", "auto_find_batch_size"]);
        conflict(optimization.auto_find_batch_size, keys, || {
            "adapt_epochs and auto_find_batch_size do not go together; leave one of them out".into()
        })?;
        let both = plan.pretraining.is_some();
        conflict(both, ["adaptation", "pretraining"], || {
            "adapt_epochs is for training on labels; set epochs".into()
        })
    }
}

impl PretrainingPlan {
    fn check_share(&self) -> Result<(), TrainError> {
        let share = self.mlm_probability;
        let valid = share > 0.0 && share <= 1.0;
        let expected = "a share above 0 and at most 1, such as 0.15";
        value(valid, "mlm_probability", share, expected)
    }

    fn check(&self, plan: &TrainPlan) -> Result<(), TrainError> {
        self.check_share()?;
        let strategy = &plan.model.strategy;
        let on_labels = [Strategy::Features, Strategy::Contrastive];
        let refused = strategy.is_adapter() || on_labels.contains(strategy);
        conflict(refused, ["pretraining", "strategy"], || {
            format!(
                "strategy {strategy} is for training on labels; a masked language model is trained with --strategy {}",
                Self::STRATEGIES
            )
        })?;
        let (optimization, keys) = (&plan.optimization, ["pretraining", "auto_find_batch_size"]);
        conflict(optimization.auto_find_batch_size, keys, || {
            "auto_find_batch_size is for training on labels; limit a batch with --batch-tokens"
                .into()
        })?;
        let keys = ["pretraining", "label_smoothing_factor"];
        conflict(optimization.label_smoothing_factor > 0.0, keys, || {
            "label_smoothing_factor is for labels, and pretraining has none; leave it out".into()
        })?;
        let limited = plan.model.feature_cache != FeatureLimits::default();
        conflict(limited, ["pretraining", "feature_cache"], || {
            "feature_cache has no effect on pretraining, where the outputs of frozen layers change with the masks; leave it out".into()
        })
    }
}

impl DataPlan {
    fn check(&self) -> Result<(), TrainError> {
        let fraction = self.validation_fraction;
        let share = "a share between 0 and 1";
        let valid = fraction > 0.0 && fraction < 1.0;
        value(valid, "validation_fraction", fraction, share)?;
        at_most(MAX_PER_STEP, "max_length", self.max_length)?;
        value(
            self.max_length > 0,
            "max_length",
            self.max_length,
            "at least 1; a tokenizer may need more for its special tokens",
        )
    }
}

impl OptimizationPlan {
    fn check_batches(&self) -> Result<(), TrainError> {
        match self.length {
            RunLength::Epochs(epochs) => {
                let valid = epochs > 0.0 && epochs.is_finite();
                value(valid, "epochs", epochs, "a number above 0")?;
                check_epochs(epochs)?;
            }
            RunLength::Steps(steps) => {
                let max = format!("at most {MAX_STEPS}");
                value(steps.get() <= MAX_STEPS, "max_steps", steps, &max)?;
            }
        }
        let (key, size) = match self.batch {
            BatchSize::Rows(rows) => ("batch_size", rows),
            BatchSize::Tokens(tokens) => ("batch_tokens", tokens),
        };
        value(size > 0, key, size, "at least 1")?;
        let buckets = self.length_buckets.map_or(0, NonZeroUsize::get);
        let accumulation = self.gradient_accumulation_steps;
        for (key, number) in [
            (key, size),
            ("gradient_accumulation_steps", accumulation),
            ("length_buckets", buckets),
        ] {
            at_most(MAX_PER_STEP, key, number)?;
        }
        if let BatchSize::Tokens(tokens) = self.batch {
            let keys = ["auto_find_batch_size", "batch_tokens"];
            conflict(self.auto_find_batch_size, keys, || {
                format!(
                    "auto_find_batch_size makes batch_size smaller, but batches are cut by batch_tokens ({tokens}); remove one of them"
                )
            })?;
        }
        let key = "gradient_accumulation_steps";
        value(accumulation > 0, key, accumulation, "at least 1")
    }

    fn check(&self) -> Result<(), TrainError> {
        for (key, rate) in [
            ("learning_rate", self.learning_rate),
            ("head_learning_rate", self.head_learning_rate),
        ] {
            let valid = rate > 0.0 && rate.is_finite();
            value(valid, key, rate, "a number above 0, such as 5e-5")?;
        }
        let decay = self.layerwise_lr_decay;
        value(
            decay > 0.0 && decay <= 1.0,
            "layerwise_lr_decay",
            decay,
            "above 0 and at most 1, such as 0.9",
        )?;
        if let Warmup::Ratio(ratio) = self.warmup {
            let valid = (0.0..=1.0).contains(&ratio);
            value(valid, "warmup_ratio", ratio, "a share from 0 to 1")?;
        }
        let decay = self.weight_decay;
        let valid = decay >= 0.0 && decay.is_finite();
        value(valid, "weight_decay", decay, "0 or more")?;
        let norm = self.max_grad_norm;
        value(norm > 0.0, "max_grad_norm", norm, "a number above 0")?;
        let ema = self.ema_decay.unwrap_or(0.0);
        value(
            (0.0..1.0).contains(&ema),
            "ema_decay",
            ema,
            "0 (off) or a number below 1, such as 0.999",
        )?;
        self.optimizer.check()?;
        let schedule = &self.schedule;
        let cycles = schedule.lr_scheduler_type == SchedulerType::OneCycle
            && schedule.one_cycle.cycle_momentum;
        let keys = ["schedule", "optimizer"];
        conflict(cycles && !self.optimizer.has_momentum(), keys, || {
            "one_cycle cycles the momentum, but this optimizer has none; set lr_scheduler_kwargs.one_cycle.cycle_momentum = false".into()
        })?;
        self.schedule.check(self.learning_rate)
    }
}

impl EvaluationPlan {
    /// `save` says when checkpoints are saved.
    fn check(&self, save: Interval) -> Result<(), TrainError> {
        let (key, size) = ("eval_batch_size", self.eval_batch_size);
        value(size > 0, key, size, "at least 1")?;
        at_most(MAX_PER_STEP, key, size)?;
        let eval = self.eval;
        if self.load_best_model_at_end {
            let keys = ["load_best_model_at_end", "eval_strategy"];
            conflict(eval == Interval::No, keys, || {
                "load_best_model_at_end needs evaluations to choose by, but eval_strategy is no; set eval_strategy to epoch or steps, or load_best_model_at_end to false".into()
            })?;
            let keys = ["load_best_model_at_end", "save_strategy"];
            conflict(save == Interval::No, keys, || {
                "load_best_model_at_end needs checkpoints to load from, but save_strategy is no; set save_strategy to epoch or steps, or load_best_model_at_end to false".into()
            })?;
            let (how_eval, how_save) = (eval.strategy(), save.strategy());
            let keys = ["eval_strategy", "save_strategy"];
            conflict(how_eval != how_save, keys, || {
                format!(
                    "load_best_model_at_end needs evaluations and checkpoints at the same steps, but eval_strategy is {how_eval} and save_strategy {how_save}; make them the same"
                )
            })?;
            if let (Interval::Steps(eval), Interval::Steps(save)) = (eval, save) {
                let (eval, save) = (eval.get(), save.get());
                let keys = ["eval_steps", "save_steps"];
                conflict(!save.is_multiple_of(eval), keys, || {
                    format!(
                        "load_best_model_at_end needs an evaluation at each checkpoint, but save_steps {save} is not a multiple of eval_steps {eval}; {} would be",
                        save.div_ceil(eval) * eval
                    )
                })?;
            }
        }
        let threshold = self.early_stopping_threshold;
        let valid = threshold >= 0.0 && threshold.is_finite();
        value(valid, "early_stopping_threshold", threshold, "0 or more")?;
        conflict(
            self.early_stopping_patience.is_some() && eval == Interval::No,
            ["early_stopping_patience", "eval_strategy"],
            || {
                "early_stopping_patience needs evaluations to judge by, but eval_strategy is no; set eval_strategy to epoch or steps".into()
            },
        )
    }
}

impl ModelPlan {
    fn check(&self) -> Result<(), TrainError> {
        let tables = [
            ("lora", self.lora.is_some(), Strategy::Lora),
            ("ia3", self.ia3.is_some(), Strategy::Ia3),
        ];
        for (table, given, strategy) in tables {
            conflict(
                given && self.strategy != strategy,
                [table, "strategy"],
                || {
                    format!(
                        "{table} has settings, but the strategy is {}; add --strategy {strategy}, or remove them",
                        self.strategy
                    )
                },
            )?;
        }
        if let Some(lora) = &self.lora {
            lora.check_fresh()?;
        }
        conflict(
            self.adapter.is_some() && !self.strategy.is_adapter(),
            ["adapter", "strategy"],
            || {
                format!(
                    "there is an adapter to train further, but the strategy is {}; expected lora or ia3",
                    self.strategy
                )
            },
        )?;
        conflict(
            self.vectors.is_some() && self.strategy.is_adapter(),
            ["vectors", "strategy"],
            || {
                format!(
                    "vectors fill the word table, which the adapter of strategy {} is saved without; choose another strategy, such as full or head",
                    self.strategy
                )
            },
        )?;
        let table = if self.lora.is_some() { "lora" } else { "ia3" };
        conflict(
            self.adapter.is_some() && (self.lora.is_some() || self.ia3.is_some()),
            ["adapter", table],
            || "the adapter to train further has its own settings; leave out lora and ia3".into(),
        )?;
        let every = self.unfreeze_every;
        value(
            every > 0.0 && every.is_finite(),
            "unfreeze_every",
            every,
            "a number of epochs above 0, such as 0.5",
        )
    }
}

fn at_most(max: usize, key: &'static str, number: usize) -> Result<(), TrainError> {
    value(number <= max, key, number, &format!("at most {max}"))
}

/// Fails unless a setting's value is `valid`.
pub(super) fn value(
    valid: bool,
    key: &'static str,
    found: impl fmt::Display,
    expected: &str,
) -> Result<(), TrainError> {
    match valid {
        true => Ok(()),
        false => Err(TrainError::Value {
            key,
            found: found.to_string(),
            expected: expected.into(),
        }),
    }
}

/// Fails if two settings contradict each other.
pub(super) fn conflict(
    contradicts: bool,
    keys: [&'static str; 2],
    problem: impl FnOnce() -> String,
) -> Result<(), TrainError> {
    match contradicts {
        true => Err(TrainError::Conflict {
            keys,
            problem: problem(),
        }),
        false => Ok(()),
    }
}
