//! Parameter groups: weight decay and learning rates by place in the model.

use finetune_models::{Place, Role};

use crate::{OptimizationPlan, TrainError};

/// Weight decay and learning rates by part of the model.
///
/// With a `layerwise_lr_decay` below 1 the learning rate decreases by that factor per layer from the
/// head to the embeddings, since lower layers are more general and should change less. This is the
/// discriminative fine-tuning of ULMFiT (Howard & Ruder 2018), used for BERT by Sun et al. (2019) and
/// for ELECTRA by Clark et al. (2020).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParameterGroups {
    /// Weight decay of all parameters except biases and norms.
    pub weight_decay: f64,
    /// Factor of the learning rate per layer below the head; 1 disables the decay.
    pub layerwise_lr_decay: f64,
    /// Factor of the head's learning rate.
    pub head_lr_scale: f64,
    /// Number of encoder layers.
    pub num_layers: usize,
}

/// The settings of one parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParameterGroup {
    /// Factor of the learning rate.
    pub learning_rate_scale: f64,
    /// Weight decay.
    pub weight_decay: f64,
}

impl ParameterGroups {
    /// Creates groups that share one learning rate.
    pub fn new(weight_decay: f64, num_layers: usize) -> Self {
        Self {
            weight_decay,
            layerwise_lr_decay: 1.0,
            head_lr_scale: 1.0,
            num_layers,
        }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// Fails with [`TrainError::Value`], which names the key of an invalid value.
    pub fn check(&self) -> Result<(), TrainError> {
        let above_0 = |value: f64| value > 0.0 && value.is_finite();
        for (valid, key, value, expected) in [
            (
                self.weight_decay >= 0.0 && self.weight_decay.is_finite(),
                "weight_decay",
                self.weight_decay,
                "0 or more",
            ),
            (
                above_0(self.layerwise_lr_decay) && self.layerwise_lr_decay <= 1.0,
                "layerwise_lr_decay",
                self.layerwise_lr_decay,
                "a number above 0 and at most 1 (off)",
            ),
            (
                above_0(self.head_lr_scale),
                "head_lr_scale",
                self.head_lr_scale,
                "a number above 0",
            ),
        ] {
            if !valid {
                return Err(TrainError::Value {
                    key,
                    found: format!("{value:?}"),
                    expected: expected.into(),
                });
            }
        }
        Ok(())
    }

    /// Returns the group of a parameter. Adapters belong to their layer, and decay. The scale of the
    /// head (and of adapters' copies of its modules) is `head_lr_scale`, that of layer `k`, from 0, is
    /// `layerwise_lr_decay^(num_layers - k)`, and that of the embeddings is
    /// `layerwise_lr_decay^(num_layers + 1)`.
    pub fn at(&self, place: Place, role: Role) -> ParameterGroup {
        let down = |layers: usize| self.layerwise_lr_decay.powf(layers as f64);
        ParameterGroup {
            learning_rate_scale: match place {
                Place::HeadDense | Place::Classifier => self.head_lr_scale,
                Place::Embeddings => down(self.num_layers + 1),
                Place::Layer(number) => down(self.num_layers.saturating_sub(number)),
            },
            weight_decay: match decays(role) {
                true => self.weight_decay,
                false => 0.0,
            },
        }
    }
}

impl OptimizationPlan {
    /// Returns the settings of the parameters by their place in the model.
    pub fn parameter_groups(&self, num_layers: usize) -> ParameterGroups {
        ParameterGroups {
            weight_decay: self.weight_decay,
            layerwise_lr_decay: self.layerwise_lr_decay,
            head_lr_scale: self.head_learning_rate / self.learning_rate,
            num_layers,
        }
    }
}

/// Returns whether weight decay applies, which excludes biases and norms as in transformers' Trainer.
fn decays(role: Role) -> bool {
    match role {
        Role::Bias | Role::NormScale | Role::NormShift => false,
        Role::WordTable
        | Role::PositionTable
        | Role::TokenTypeTable
        | Role::LinearWeight
        | Role::Adapter => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_depth_and_kind() {
        let groups = ParameterGroups {
            layerwise_lr_decay: 0.5,
            head_lr_scale: 3.0,
            ..ParameterGroups::new(0.1, 2)
        };
        for (place, role, learning_rate_scale, weight_decay) in [
            (Place::Classifier, Role::LinearWeight, 3.0, 0.1),
            (Place::HeadDense, Role::LinearWeight, 3.0, 0.1),
            (Place::HeadDense, Role::Bias, 3.0, 0.0),
            (Place::Layer(1), Role::LinearWeight, 0.5, 0.1),
            (Place::Layer(1), Role::Adapter, 0.5, 0.1),
            (Place::Layer(0), Role::NormScale, 0.25, 0.0),
            (Place::Layer(0), Role::Bias, 0.25, 0.0),
            (Place::Embeddings, Role::WordTable, 0.125, 0.1),
            (Place::Embeddings, Role::NormShift, 0.125, 0.0),
        ] {
            let expected = ParameterGroup {
                learning_rate_scale,
                weight_decay,
            };
            assert_eq!(groups.at(place, role), expected, "{place:?}, {role:?}");
        }
        groups.check().unwrap();
    }

    #[test]
    fn invalid_values_are_named() {
        for (groups, key) in [
            (ParameterGroups::new(-0.1, 2), "weight_decay"),
            (
                ParameterGroups {
                    layerwise_lr_decay: 1.5,
                    ..ParameterGroups::new(0.0, 2)
                },
                "layerwise_lr_decay",
            ),
            (
                ParameterGroups {
                    head_lr_scale: 0.0,
                    ..ParameterGroups::new(0.0, 2)
                },
                "head_lr_scale",
            ),
        ] {
            let error = groups.check().unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
    }
}
