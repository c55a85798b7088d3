//! Settings with which no run makes sense, refused before any work.

use std::num::NonZeroUsize;

use finetune_data::BatchSize;

use crate::{
    CustomMetrics, DataPlan, EvaluationPlan, Interval, ModelPlan, OptimizationPlan, RunLength,
    SchedulerType, Strategy, TrainError, TrainPlan, Warmup, plan::run_length::check_epochs,
};

/// More than this no run takes; the products of such numbers would not fit into integers.
const MOST_STEPS: u64 = 1_000_000_000;
const MOST_IN_A_STEP: usize = 10_000_000;

impl TrainPlan {
    /// Refuses settings with which no run makes sense.
    pub fn check(&self) -> Result<(), TrainError> {
        self.check_with(&CustomMetrics::default())
    }

    /// [`check`](Self::check) where `metric_for_best_model` may be one of the caller's own.
    pub fn check_with(&self, metrics: &CustomMetrics) -> Result<(), TrainError> {
        self.data.check()?;
        self.optimization.check_batches()?;
        self.optimization.check()?;
        self.optimization.loss().check(&self.outputs())?;
        self.evaluation.check(self.saving.save)?;
        self.model.check()?;
        self.metric(metrics).map(drop)
    }
}

impl DataPlan {
    fn check(&self) -> Result<(), TrainError> {
        let fraction = self.validation_fraction;
        refuse(!(fraction > 0.0 && fraction < 1.0), || {
            format!("validation_fraction is {fraction}; expected a share between 0 and 1")
        })?;
        at_most(MOST_IN_A_STEP, "max_length", self.max_length)?;
        refuse(self.max_length < 3, || {
            format!(
                "max_length is {}; expected at least 3: two special tokens and one of text",
                self.max_length
            )
        })
    }
}

impl OptimizationPlan {
    fn check_batches(&self) -> Result<(), TrainError> {
        match self.length {
            RunLength::Epochs(epochs) => {
                refuse(!(epochs > 0.0 && epochs.is_finite()), || {
                    format!("epochs is {epochs}; expected a number above 0")
                })?;
                check_epochs(epochs).map_err(TrainError::Plan)?;
            }
            RunLength::Steps(steps) => refuse(steps.get() > MOST_STEPS, || {
                format!("max_steps is {steps}; expected at most {MOST_STEPS}")
            })?,
        }
        let (key, size) = match self.batch {
            BatchSize::Rows(rows) => ("batch_size", rows),
            BatchSize::Tokens(tokens) => ("batch_tokens", tokens),
        };
        refuse(size == 0, || format!("{key} is 0; expected at least 1"))?;
        let buckets = self.length_buckets.map_or(0, NonZeroUsize::get);
        let accumulation = self.gradient_accumulation_steps;
        for (key, number) in [
            (key, size),
            ("gradient_accumulation_steps", accumulation),
            ("length_buckets", buckets),
        ] {
            at_most(MOST_IN_A_STEP, key, number)?;
        }
        if let BatchSize::Tokens(tokens) = self.batch {
            refuse(self.auto_find_batch_size, || {
                format!(
                    "auto_find_batch_size makes batch_size smaller, but batches are cut by batch_tokens ({tokens}); leave one out"
                )
            })?;
        }
        refuse(accumulation == 0, || {
            "gradient_accumulation_steps is 0; expected at least 1".into()
        })
    }

    fn check(&self) -> Result<(), TrainError> {
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
        if let Warmup::Ratio(ratio) = self.warmup {
            refuse(!(0.0..=1.0).contains(&ratio), || {
                format!("warmup_ratio is {ratio}; expected a share from 0 to 1")
            })?;
        }
        let decay = self.weight_decay;
        refuse(!(decay >= 0.0 && decay.is_finite()), || {
            format!("weight_decay is {decay}; expected 0 or more")
        })?;
        let norm = self.max_grad_norm;
        refuse(norm.is_nan() || norm <= 0.0, || {
            format!("max_grad_norm is {norm}; expected a number above 0")
        })?;
        let ema = self.ema_decay.unwrap_or(0.0);
        refuse(!(0.0..1.0).contains(&ema), || {
            format!("ema_decay is {ema}; expected 0 (off) or a number below 1, such as 0.999")
        })?;
        self.optimizer.check()?;
        let schedule = &self.schedule;
        let cycles = schedule.lr_scheduler_type == SchedulerType::OneCycle
            && schedule.one_cycle.cycle_momentum;
        refuse(cycles && !self.optimizer.has_momentum(), || {
            "one_cycle cycles the momentum, which this optimizer has none of; set lr_scheduler_kwargs.one_cycle.cycle_momentum = false".into()
        })?;
        self.schedule.check(self.learning_rate)
    }
}

impl EvaluationPlan {
    /// With checkpoints as `save` says.
    fn check(&self, save: Interval) -> Result<(), TrainError> {
        refuse(self.eval_batch_size == 0, || {
            "eval_batch_size is 0; expected at least 1".into()
        })?;
        at_most(MOST_IN_A_STEP, "eval_batch_size", self.eval_batch_size)?;
        let eval = self.eval;
        if self.load_best_model_at_end {
            refuse(eval == Interval::No, || {
                "load_best_model_at_end needs evaluations to choose by, but eval_strategy is no; set eval_strategy to epoch or steps, or load_best_model_at_end to false".into()
            })?;
            refuse(save == Interval::No, || {
                "load_best_model_at_end needs checkpoints to load from, but save_strategy is no; set save_strategy to epoch or steps, or load_best_model_at_end to false".into()
            })?;
            let (how_eval, how_save) = (eval.strategy(), save.strategy());
            refuse(how_eval != how_save, || {
                format!(
                    "load_best_model_at_end needs evaluations and checkpoints at the same steps, but eval_strategy is {how_eval} and save_strategy {how_save}; make them the same"
                )
            })?;
            if let (Interval::Steps(eval), Interval::Steps(save)) = (eval, save) {
                let (eval, save) = (eval.get(), save.get());
                refuse(!save.is_multiple_of(eval), || {
                    format!(
                        "load_best_model_at_end needs an evaluation at each checkpoint, but save_steps {save} is not a multiple of eval_steps {eval}; {} would be",
                        save.div_ceil(eval) * eval
                    )
                })?;
            }
        }
        let threshold = self.early_stopping_threshold;
        refuse(!(threshold >= 0.0 && threshold.is_finite()), || {
            format!("early_stopping_threshold is {threshold}; expected 0 or more")
        })?;
        refuse(
            self.early_stopping_patience.is_some() && eval == Interval::No,
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
            self.adapter.is_some() && !self.strategy.is_adapter(),
            || {
                format!(
                    "there is an adapter to go on with, but the strategy is {}; expected lora or ia3",
                    self.strategy
                )
            },
        )?;
        refuse(
            self.adapter.is_some() && (self.lora.is_some() || self.ia3.is_some()),
            || "an adapter to go on with brings its own settings; leave lora and ia3 out".into(),
        )?;
        let every = self.unfreeze_every;
        refuse(!(every > 0.0 && every.is_finite()), || {
            format!("unfreeze_every is {every}; expected a number of epochs above 0, such as 0.5")
        })
    }
}

fn at_most(most: usize, key: &str, number: usize) -> Result<(), TrainError> {
    refuse(number > most, || {
        format!("{key} is {number}; expected at most {most}")
    })
}

fn refuse(condition: bool, message: impl FnOnce() -> String) -> Result<(), TrainError> {
    match condition {
        true => Err(TrainError::Plan(message())),
        false => Ok(()),
    }
}
