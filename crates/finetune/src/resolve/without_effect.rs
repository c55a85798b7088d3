//! Options that would be accepted and change nothing: the plan of a run has them with their defaults, so that
//! what was typed is known here alone.

use finetune_train::{EvaluationPlan, ModelPlan, Strategy, TrainPlan};

use crate::{cli::train_options::TrainOptions, error::Failure, resolve::rows::Rows};

/// Refuses options that have no effect on a run with this plan, unless they have their defaults.
///
/// # Errors
/// Fails if there is one; the message says when it would have an effect.
pub fn refuse(options: &TrainOptions, plan: &TrainPlan, rows: &Rows) -> Result<(), Failure> {
    let of_lines = rows.has_text_files() || options.unlabelled.is_some();
    if options.line_by_line.is_some() && !of_lines {
        return Err(Failure::User(format!(
            "line_by_line is about text files (.txt), and {} has none; leave it out",
            rows.dataset
        )));
    }
    refuse_settings(options, plan)
}

fn refuse_settings(options: &TrainOptions, plan: &TrainPlan) -> Result<(), Failure> {
    let strategy = &plan.model.strategy;
    let default = ModelPlan::default().unfreeze_every;
    let every = options.unfreeze_every.filter(|every| *every != default);
    if let Some(every) = every.filter(|_| *strategy != Strategy::Gradual) {
        return Err(Failure::User(format!(
            "unfreeze_every is {every}, but the strategy is {strategy}, which unfreezes nothing on the way; leave it out, or add --strategy gradual"
        )));
    }
    if options.frozen_dropout == Some(true) && *strategy == Strategy::Full {
        return Err(Failure::User(
            "frozen_dropout is about frozen layers, and strategy full has none; leave it out"
                .into(),
        ));
    }
    let default = EvaluationPlan::default().early_stopping_threshold;
    let threshold = options.early_stopping_threshold;
    let threshold = threshold.filter(|threshold| *threshold != default);
    match threshold.filter(|_| options.early_stopping_patience.unwrap_or_default() == 0) {
        Some(threshold) => Err(Failure::User(format!(
            "early_stopping_threshold is {threshold}, but nothing stops the run early; leave it out, or add --early-stopping-patience"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_nothing_is_refused_unless_it_is_the_default() {
        let with = |strategy: Strategy, change: fn(&mut TrainOptions)| {
            let mut plan = TrainPlan::default();
            plan.model.strategy = strategy;
            let mut options = TrainOptions::default();
            change(&mut options);
            refuse_settings(&options, &plan).map_err(|error| error.to_string())
        };
        let every = |options: &mut TrainOptions| options.unfreeze_every = Some(2.0);
        with(Strategy::Gradual, every).unwrap();
        for strategy in [Strategy::Full, Strategy::Contrastive, Strategy::Last(1)] {
            let name = strategy.to_string();
            let error = with(strategy, every).unwrap_err();
            assert!(
                error.contains(&format!("the strategy is {name}")),
                "{error}"
            );
        }
        with(Strategy::Full, |options| options.unfreeze_every = Some(0.5)).unwrap();
        let dropout = |options: &mut TrainOptions| options.frozen_dropout = Some(true);
        with(Strategy::Head, dropout).unwrap();
        assert!(
            with(Strategy::Full, dropout)
                .unwrap_err()
                .contains("frozen_dropout")
        );
        let stops = |options: &mut TrainOptions| {
            options.early_stopping_threshold = Some(0.1);
            options.early_stopping_patience = Some(2);
        };
        with(Strategy::Full, stops).unwrap();
        let never = |options: &mut TrainOptions| options.early_stopping_threshold = Some(0.1);
        let error = with(Strategy::Full, never).unwrap_err();
        assert!(error.contains("--early-stopping-patience"), "{error}");
    }
}
