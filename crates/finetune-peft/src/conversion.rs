//! Adapters that changed the base's weights, as files for an untouched base model.
//!
//! PiSSA's and OLoRA's training takes `s·A₀·B₀` out of the weight. What a reader with the original
//! weight has to add is `s·(A·B − A₀·B₀)`, an update of twice the rank: peft's
//! `path_initial_model_for_weight_conversion`.

use crate::{AdapterFile, Init, LoraConfig, PeftConfig};

/// The configuration of the saved adapter: of twice the rank with the same factor.
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
