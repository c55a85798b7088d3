//! Settings with which no run makes sense, refused before any work.

use crate::{CustomMetrics, IntervalStrategy, SchedulerType, Strategy, TrainError, TrainPlan};

/// More than this no run takes; the products of such numbers would not fit into integers.
const MOST_EPOCHS: f64 = 1e6;
const MOST_STEPS: u64 = 1_000_000_000;
const MOST_IN_A_STEP: usize = 10_000_000;

impl TrainPlan {
    /// Refuses settings with which no run makes sense.
    pub fn check(&self) -> Result<(), TrainError> {
        self.check_with(&CustomMetrics::default())
    }

    /// [`check`](Self::check) where `metric_for_best_model` may be one of the caller's own.
    pub fn check_with(&self, metrics: &CustomMetrics) -> Result<(), TrainError> {
        self.check_length_of_run()?;
        self.check_optimization()?;
        self.check_intervals()?;
        self.check_strategy()?;
        self.metric(metrics).map(drop)
    }

    fn check_length_of_run(&self) -> Result<(), TrainError> {
        let epochs = self.epochs;
        refuse(
            epochs.is_nan() || !(epochs > 0.0 && epochs.is_finite()) && self.max_steps == 0,
            || format!("epochs is {epochs}; expected a number above 0"),
        )?;
        refuse(epochs > MOST_EPOCHS, || {
            format!("epochs is {epochs}; expected at most {MOST_EPOCHS}")
        })?;
        refuse(self.max_steps > MOST_STEPS, || {
            format!(
                "max_steps is {}; expected at most {MOST_STEPS}",
                self.max_steps
            )
        })?;
        refuse(self.batch_size == 0 || self.eval_batch_size == 0, || {
            "the batch size is 0; expected at least 1".into()
        })?;
        for (key, number) in [
            ("batch_size", self.batch_size),
            ("eval_batch_size", self.eval_batch_size),
            ("batch_tokens", self.batch_tokens),
            (
                "gradient_accumulation_steps",
                self.gradient_accumulation_steps,
            ),
            ("length_buckets", self.length_buckets),
            ("max_length", self.max_length),
        ] {
            refuse(number > MOST_IN_A_STEP, || {
                format!("{key} is {number}; expected at most {MOST_IN_A_STEP}")
            })?;
        }
        refuse(self.batch_tokens > 0 && self.auto_find_batch_size, || {
            format!(
                "auto_find_batch_size makes batch_size smaller, but batches are cut by batch_tokens ({}); leave one out",
                self.batch_tokens
            )
        })?;
        refuse(self.gradient_accumulation_steps == 0, || {
            "gradient_accumulation_steps is 0; expected at least 1".into()
        })?;
        let fraction = self.validation_fraction;
        refuse(!(fraction > 0.0 && fraction < 1.0), || {
            format!("validation_fraction is {fraction}; expected a share between 0 and 1")
        })?;
        refuse(self.max_length < 3, || {
            format!(
                "max_length is {}; expected at least 3: two special tokens and one of text",
                self.max_length
            )
        })
    }

    fn check_optimization(&self) -> Result<(), TrainError> {
        for (key, rate) in [
            ("learning_rate", self.learning_rate),
            ("head_learning_rate", self.head_learning_rate),
        ] {
            refuse(!(rate > 0.0 && rate.is_finite()), || {
                format!("{key} is {rate}; expected a number above 0, such as 5e-5")
            })?;
        }
        let decay = self.layerwise_lr_decay;
        refuse(!(decay > 0.0 && decay <= 1.0), || {
            format!("layerwise_lr_decay is {decay}; expected above 0 and at most 1, such as 0.9")
        })?;
        let ratio = self.warmup_ratio;
        refuse(!(0.0..=1.0).contains(&ratio), || {
            format!("warmup_ratio is {ratio}; expected a share from 0 to 1")
        })?;
        let decay = self.weight_decay;
        refuse(!(decay >= 0.0 && decay.is_finite()), || {
            format!("weight_decay is {decay}; expected 0 or more")
        })?;
        let norm = self.max_grad_norm;
        refuse(norm.is_nan() || norm <= 0.0, || {
            format!("max_grad_norm is {norm}; expected a number above 0")
        })?;
        let ema = self.ema_decay;
        refuse(!(0.0..1.0).contains(&ema), || {
            format!("ema_decay is {ema}; expected 0 (off) or a number below 1, such as 0.999")
        })?;
        self.loss().check(&self.outputs())?;
        self.optimizer.check()?;
        let schedule = &self.schedule;
        let cycles = schedule.lr_scheduler_type == SchedulerType::OneCycle
            && schedule.one_cycle.cycle_momentum;
        refuse(cycles && !self.optimizer.has_momentum(), || {
            "one_cycle cycles the momentum, which this optimizer has none of; set lr_scheduler_kwargs.one_cycle.cycle_momentum = false".into()
        })?;
        self.schedule.check(self.learning_rate)
    }

    fn check_intervals(&self) -> Result<(), TrainError> {
        use IntervalStrategy::{No, Steps};
        for (name, strategy, steps) in [
            ("eval", self.eval_strategy, self.eval_steps),
            ("save", self.save_strategy, self.save_steps),
            ("logging", self.logging_strategy, self.logging_steps),
        ] {
            refuse(strategy == Steps && steps == 0, || {
                format!("{name}_steps is 0; expected at least 1 with {name}_strategy = steps")
            })?;
        }
        let (eval, save) = (self.eval_strategy, self.save_strategy);
        if self.load_best_model_at_end {
            refuse(eval == No, || {
                "load_best_model_at_end needs evaluations to choose by, but eval_strategy is no; set eval_strategy to epoch or steps, or load_best_model_at_end to false".into()
            })?;
            refuse(save == No, || {
                "load_best_model_at_end needs checkpoints to load from, but save_strategy is no; set save_strategy to epoch or steps, or load_best_model_at_end to false".into()
            })?;
            refuse(eval != save, || {
                format!(
                    "load_best_model_at_end needs evaluations and checkpoints at the same steps, but eval_strategy is {eval} and save_strategy {save}; make them the same"
                )
            })?;
            let (eval, save) = (self.eval_steps, self.save_steps);
            refuse(
                self.eval_strategy == Steps && !save.is_multiple_of(eval),
                || {
                    format!(
                        "load_best_model_at_end needs an evaluation at each checkpoint, but save_steps {save} is not a multiple of eval_steps {eval}; {} would be",
                        save.div_ceil(eval) * eval
                    )
                },
            )?;
        }
        let threshold = self.early_stopping_threshold;
        refuse(!(threshold >= 0.0 && threshold.is_finite()), || {
            format!("early_stopping_threshold is {threshold}; expected 0 or more")
        })?;
        refuse(self.early_stopping_patience > 0 && eval == No, || {
            "early_stopping_patience needs evaluations to judge by, but eval_strategy is no; set eval_strategy to epoch or steps".into()
        })
    }

    fn check_strategy(&self) -> Result<(), TrainError> {
        let tables = [
            ("lora", self.lora.is_some(), Strategy::Lora),
            ("ia3", self.ia3.is_some(), Strategy::Ia3),
        ];
        for (table, given, strategy) in tables {
            refuse(given && self.strategy != strategy, || {
                format!(
                    "{table} has settings, but the strategy is {}; add --strategy {strategy}, or leave them out",
                    self.strategy
                )
            })?;
        }
        if let Some(lora) = &self.lora {
            lora.check_fresh()?;
        }
        refuse(
            !self.adapter.is_empty() && !self.strategy.is_adapter(),
            || {
                format!(
                    "there is an adapter to go on with, but the strategy is {}; expected lora or ia3",
                    self.strategy
                )
            },
        )?;
        refuse(
            !self.adapter.is_empty() && (self.lora.is_some() || self.ia3.is_some()),
            || "an adapter to go on with brings its own settings; leave lora and ia3 out".into(),
        )?;
        let every = self.unfreeze_every;
        refuse(!(every > 0.0 && every.is_finite()), || {
            format!("unfreeze_every is {every}; expected a number of epochs above 0, such as 0.5")
        })
    }
}

fn refuse(condition: bool, message: impl FnOnce() -> String) -> Result<(), TrainError> {
    match condition {
        true => Err(TrainError::Plan(message())),
        false => Ok(()),
    }
}
