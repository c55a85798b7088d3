//! When a run evaluates, saves and logs, from what of it is said.

use finetune_train::{IntervalStrategy, Strategy};

use crate::{cli::train_options::TrainOptions, error::Failure};

type Interval = (IntervalStrategy, u64);

/// The three intervals of a run.
pub struct Intervals {
    pub eval: Interval,
    pub save: Interval,
    pub logging: Interval,
    /// Whether the best model is the result.
    pub load_best: bool,
}

impl Intervals {
    /// Evaluations and checkpoints go together unless both are said: then the best model can be
    /// loaded at the end.
    pub fn new(options: &TrainOptions, strategy: &Strategy) -> Result<Self, Failure> {
        use IntervalStrategy::{Epoch, No, Steps};
        let eval = given("eval", options.eval_strategy, options.eval_steps)?;
        let save = given("save", options.save_strategy, options.save_steps)?;
        let together = match eval.or(save) {
            // Without checkpoints there are evaluations all the same.
            Some((No, _)) if eval.is_none() => None,
            other => other,
        };
        let together = together.unwrap_or((Epoch, 0));
        let (eval, save) = match strategy {
            Strategy::Features => (eval.unwrap_or((No, 0)), save.unwrap_or((No, 0))),
            _ => (eval.unwrap_or(together), save.unwrap_or(together)),
        };
        let logging = given("logging", options.logging_strategy, options.logging_steps)?;
        let load_best = options.load_best_model_at_end;
        Ok(Self {
            eval,
            save,
            logging: logging.unwrap_or((Steps, 1)),
            load_best: load_best.unwrap_or(eval.0 != No && save.0 != No),
        })
    }
}

/// An interval that is said, by its strategy or by its steps.
fn given(
    name: &str,
    strategy: Option<IntervalStrategy>,
    steps: Option<u64>,
) -> Result<Option<Interval>, Failure> {
    match (strategy, steps) {
        (None, None) => Ok(None),
        (_, Some(0)) => Err(Failure::User(format!(
            "{name}_steps is 0; expected at least 1"
        ))),
        (None | Some(IntervalStrategy::Steps), Some(steps)) => {
            Ok(Some((IntervalStrategy::Steps, steps)))
        }
        (Some(IntervalStrategy::Steps), None) => match name {
            "logging" => Ok(Some((IntervalStrategy::Steps, 1))),
            _ => Err(Failure::User(format!(
                "{name}_strategy is steps, but {name}_steps does not say how many"
            ))),
        },
        (Some(strategy), None) => Ok(Some((strategy, 0))),
        (Some(strategy), Some(steps)) => Err(Failure::User(format!(
            "{name}_steps is {steps}, but {name}_strategy is {strategy}; leave one out"
        ))),
    }
}
