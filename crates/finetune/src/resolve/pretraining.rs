//! What is particular to the plan of a run that pretrains.

use finetune_data::BatchSize;
use finetune_models::{MaskedLm, ModelConfig};
use finetune_train::{PretrainingPlan, Strategy, TrainPlan, Trainable, TrainedModel};

use crate::{cli::train_options::TrainOptions, error::Failure};

/// Returns the defaults of pretraining, with the options that only it has.
pub fn plan(options: &TrainOptions, strategy: Strategy, device: String) -> TrainPlan {
    let mut plan = TrainPlan::pretraining(strategy, device);
    let default = PretrainingPlan::default();
    plan.pretraining = Some(PretrainingPlan {
        mlm_probability: options.mlm_probability.unwrap_or(default.mlm_probability),
        masking: options.masking.unwrap_or(default.masking),
        line_by_line: options.line_by_line,
    });
    // The default is a number of tokens, which would override the rows.
    if let (Some(rows), None) = (options.batch_size, options.batch_tokens) {
        plan.optimization.batch = BatchSize::Rows(rows);
    }
    plan
}

/// Checks that the plan's strategy fits the model.
///
/// # Errors
/// Fails if a layer does not exist, or a pattern is invalid or matches nothing.
pub fn check_strategy(plan: &TrainPlan, config: &ModelConfig) -> Result<(), Failure> {
    let parameters = MaskedLm::parameters_of(config);
    Trainable::among(parameters, &plan.model.strategy, config)?;
    Ok(())
}
