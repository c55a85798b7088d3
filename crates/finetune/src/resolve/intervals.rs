//! Resolves when a run evaluates, saves and logs.

use std::num::NonZeroU64;

use finetune_train::{Interval, IntervalStrategy, Strategy, TrainPlan};

use crate::{cli::train_options::TrainOptions, error::Failure};

/// Sets the three intervals of a plan, and whether its result is the best model. Unless both are given,
/// evaluations and checkpoints coincide, so that the best model can be loaded at the end.
///
/// # Errors
/// Fails if a strategy and its number of steps contradict each other.
pub fn set(plan: &mut TrainPlan, options: &TrainOptions) -> Result<(), Failure> {
    let eval = given(
        "eval",
        options.eval_strategy,
        options.eval_steps,
        plan.evaluation.eval,
    )?;
    let save = given(
        "save",
        options.save_strategy,
        options.save_steps,
        plan.saving.save,
    )?;
    let logging = given(
        "logging",
        options.logging_strategy,
        options.logging_steps,
        plan.saving.logging,
    )?;
    let together = match plan.model.strategy {
        Strategy::Features => None,
        // Evaluations take place even without checkpoints.
        _ => eval.or(save.filter(|save| *save != Interval::No)),
    };
    let (evaluation, saving) = (&mut plan.evaluation, &mut plan.saving);
    evaluation.eval = eval.or(together).unwrap_or(evaluation.eval);
    saving.save = save.or(together).unwrap_or(saving.save);
    saving.logging = logging.unwrap_or(saving.logging);
    evaluation.load_best_model_at_end = options
        .load_best_model_at_end
        .unwrap_or(evaluation.eval != Interval::No && saving.save != Interval::No);
    Ok(())
}

/// Returns the interval that is given by its strategy or its steps, if any.
fn given(
    name: &str,
    strategy: Option<IntervalStrategy>,
    steps: Option<u64>,
    default: Interval,
) -> Result<Option<Interval>, Failure> {
    let steps = match steps.map(NonZeroU64::new) {
        Some(None) => {
            return Err(Failure::User(format!(
                "{name}_steps is 0; expected at least 1"
            )));
        }
        steps => steps.flatten(),
    };
    match (strategy, steps) {
        (None, None) => Ok(None),
        (None | Some(IntervalStrategy::Steps), Some(steps)) => Ok(Some(Interval::Steps(steps))),
        (Some(IntervalStrategy::Steps), None) => match default {
            Interval::Steps(_) => Ok(Some(default)),
            _ => Err(Failure::User(format!(
                "{name}_strategy is steps, but {name}_steps does not say how many"
            ))),
        },
        (Some(IntervalStrategy::No), None) => Ok(Some(Interval::No)),
        (Some(IntervalStrategy::Epoch), None) => Ok(Some(Interval::Epoch)),
        (Some(strategy), Some(steps)) => Err(Failure::User(format!(
            "{name}_steps is {steps}, but {name}_strategy is {strategy}; leave one out"
        ))),
    }
}
