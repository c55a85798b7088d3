//! Converts adapters that changed the base weights into adapters for the original base model.
//!
//! PiSSA and OLoRA subtract `s·A₀·B₀` from the weight before training. Relative to the original weight,
//! the update is therefore `s·(A·B − A₀·B₀)`, which has twice the rank: peft's
//! `path_initial_model_for_weight_conversion`.

use crate::{AdapterFile, Init, LoraConfig, PeftConfig};

/// Returns the configuration of the saved adapter, with twice the rank and the same scaling.
pub(crate) fn converted(file: &AdapterFile) -> AdapterFile {
    let PeftConfig::Lora(config) = &file.config else {
        return file.clone();
    };
    if !config.init_lora_weights.changes_base() {
        return file.clone();
    }
    let factor = match config.use_rslora {
        true => std::f64::consts::SQRT_2,
        false => 2.0,
    };
    let mut config = LoraConfig {
        r: 2 * config.r,
        lora_alpha: factor * config.lora_alpha,
        init_lora_weights: Init::KaimingUniform,
        ..config.clone()
    };
    config.rank_pattern.values_mut().for_each(|rank| *rank *= 2);
    config
        .alpha_pattern
        .values_mut()
        .for_each(|alpha| *alpha *= factor);
    AdapterFile {
        config: PeftConfig::Lora(config),
        ..file.clone()
    }
}
