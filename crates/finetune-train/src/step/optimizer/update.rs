//! The update of one parameter in one step.

use burn::Tensor;
use finetune_infer::Workers;
use finetune_kernels::{
    AdafactorStep, AdamStep, Factor, SgdStep, TableRows, adafactor_factored_update,
    adafactor_update, adam_rows_step, adam_step, moving_average, sgd_momentum_step, sgd_step,
    square_sum,
};

use super::state::ParameterState;
use crate::{AdafactorConfig, AdamConfig, OptimizerConfig, SgdConfig, step::gradient::Gradient};

/// The settings of a step for one parameter.
pub(super) struct StepSettings {
    /// The learning rate of the schedule.
    pub learning_rate: f64,
    /// The parameter group's factor of the learning rate.
    pub learning_rate_scale: f64,
    pub weight_decay: f64,
    /// Replaces the optimizer's own momentum.
    pub momentum: Option<f64>,
    /// Multiplies the gradient first.
    pub gradient_scale: Factor,
}

impl OptimizerConfig {
    /// Returns the new values of `parameter`; `state` has already counted this step.
    pub(super) fn update(
        &self,
        parameter: Tensor<1>,
        gradient: Gradient,
        shape: &[usize],
        state: &mut ParameterState,
        settings: StepSettings,
    ) -> Tensor<1> {
        match self {
            Self::AdamW(config) => adam(*config, true, parameter, gradient, state, settings),
            Self::Adam(config) => adam(*config, false, parameter, gradient, state, settings),
            Self::Sgd(config) => sgd(*config, parameter, gradient.whole(), state, settings),
            Self::Adafactor(config) => {
                adafactor(config, parameter, gradient.whole(), shape, state, settings)
            }
        }
    }
}

fn adam(
    config: AdamConfig,
    decoupled_weight_decay: bool,
    parameter: Tensor<1>,
    gradient: Gradient,
    state: &mut ParameterState,
    settings: StepSettings,
) -> Tensor<1> {
    let length = parameter.shape().num_elements();
    let step = AdamStep {
        learning_rate: settings.learning_rate * settings.learning_rate_scale,
        beta_1: settings.momentum.unwrap_or(config.adam_beta1),
        beta_2: config.adam_beta2,
        epsilon: config.adam_epsilon,
        weight_decay: settings.weight_decay,
        decoupled_weight_decay,
        step: state.step,
    };
    let scale = settings.gradient_scale;
    let moment_1 = state.take("exp_avg", length, &parameter);
    let moment_2 = state.take("exp_avg_sq", length, &parameter);
    let (parameter, moment_1, moment_2) = match gradient {
        Gradient::Whole(gradient) => {
            state.used_rows = None;
            adam_step(parameter, gradient, moment_1, moment_2, scale, step)
        }
        Gradient::Rows(gradient) => {
            let rows = TableRows {
                ever_used: state.use_rows(&gradient, [&moment_1, &moment_2]),
                used: gradient.rows,
            };
            let values = gradient.values;
            adam_rows_step(parameter, values, moment_1, moment_2, rows, scale, step)
        }
    };
    state.put("exp_avg", moment_1);
    state.put("exp_avg_sq", moment_2);
    parameter
}

fn sgd(
    config: SgdConfig,
    parameter: Tensor<1>,
    gradient: Tensor<1>,
    state: &mut ParameterState,
    settings: StepSettings,
) -> Tensor<1> {
    let step = SgdStep {
        learning_rate: settings.learning_rate * settings.learning_rate_scale,
        momentum: settings.momentum.unwrap_or(config.momentum),
        nesterov: config.nesterov,
        weight_decay: settings.weight_decay,
    };
    let scale = settings.gradient_scale;
    if step.momentum == 0.0 {
        return sgd_step(parameter, gradient, scale, step);
    }
    let length = parameter.shape().num_elements();
    let buffer = state.take("momentum_buffer", length, &gradient);
    let (parameter, buffer) = sgd_momentum_step(parameter, gradient, buffer, scale, step);
    state.put("momentum_buffer", buffer);
    parameter
}

/// Follows transformers' `Adafactor.step`. The factored moment of a weight and of its transpose differ
/// only in the names of their halves: rows here are rows of our `[in, out]`.
fn adafactor(
    config: &AdafactorConfig,
    parameter: Tensor<1>,
    gradient: Tensor<1>,
    shape: &[usize],
    state: &mut ParameterState,
    settings: StepSettings,
) -> Tensor<1> {
    let length = parameter.shape().num_elements();
    let time = state.step as f64;
    let mut learning_rate = settings.learning_rate;
    if config.relative_step {
        let most = if config.warmup_init {
            1e-6 * time
        } else {
            1e-2
        };
        learning_rate = most.min(time.sqrt().recip());
    }
    learning_rate *= settings.learning_rate_scale;
    // The size of the parameter, if only the device knows it.
    let mut size = None;
    if config.scale_parameter {
        let square = square_sum(parameter.clone());
        if Workers::of(&parameter.device()).are_asynchronous() {
            size = Some((square / length as f64).sqrt().clamp_min(config.eps[1]));
        } else {
            let square: f64 = square.into_scalar::<f32>().into();
            learning_rate *= (square / length as f64).sqrt().max(config.eps[1]);
        }
    }
    let step = AdafactorStep {
        learning_rate,
        beta_2: 1.0 - time.powf(config.decay_rate),
        epsilon: config.eps[0],
        clip_threshold: config.clip_threshold,
    };
    let scale = settings.gradient_scale;
    let mut update = match shape {
        &[rows, columns] => {
            let row_moment = state.take("exp_avg_sq_row", rows, &gradient);
            let column_moment = state.take("exp_avg_sq_col", columns, &gradient);
            let gradient = gradient.reshape([rows, columns]);
            let (update, row_moment, column_moment) =
                adafactor_factored_update(gradient, row_moment, column_moment, scale, step);
            state.put("exp_avg_sq_row", row_moment);
            state.put("exp_avg_sq_col", column_moment);
            update.reshape([length])
        }
        _ => {
            let moment = state.take("exp_avg_sq", length, &gradient);
            let (update, moment) = adafactor_update(gradient, moment, scale, step);
            state.put("exp_avg_sq", moment);
            update
        }
    };
    if let Some(size) = &size {
        update = update * size.clone();
    }
    if let Some(beta1) = config.beta1 {
        let average = state.take("exp_avg", length, &update);
        update = moving_average(average, update, beta1);
        state.put("exp_avg", update.clone());
    }
    // Subtracts the update, and decays the weight at the same learning rate.
    let mut weight_decay = settings.weight_decay * learning_rate;
    if let Some(size) = size
        && weight_decay != 0.0
    {
        update = update + parameter.clone() * (size * weight_decay);
        weight_decay = 0.0;
    }
    let subtract = SgdStep {
        learning_rate: 1.0,
        momentum: 0.0,
        nesterov: false,
        weight_decay,
    };
    sgd_step(parameter, update, 1.0, subtract)
}
