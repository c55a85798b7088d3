//! Optimizers over a model's parameters.

mod groups;
mod state;
mod update;

use std::collections::BTreeMap;

use burn::Tensor;
use finetune_kernels::Factor;
use finetune_models::{Described, ParameterId, ParameterMap, map_parameters};

use crate::{OptimizerConfig, ParameterGradients, step::gradient::Gradient};

pub use groups::{ParameterGroup, ParameterGroups};
pub use state::OptimizerState;

use state::ParameterState;
use update::StepSettings;

/// An optimizer with its state for each parameter that has ever had a gradient. As in torch, each
/// parameter counts its own steps, so one that is unfrozen later gets the bias correction of a first
/// step.
#[derive(Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    groups: ParameterGroups,
    states: BTreeMap<String, ParameterState>,
}

impl Optimizer {
    /// Creates an optimizer before its first step.
    pub fn new(config: OptimizerConfig, groups: ParameterGroups) -> Self {
        Self {
            config,
            groups,
            states: BTreeMap::new(),
        }
    }

    /// Takes one step, which updates every parameter with a gradient. `momentum`, if given, replaces
    /// SGD's momentum or Adam's first beta; the gradients are first multiplied by `gradient_scale`.
    /// Parameters and moments are updated in place if they are not shared, and each gradient is freed
    /// once used.
    pub fn step<M: Described>(
        &mut self,
        model: M,
        gradients: ParameterGradients,
        learning_rate: f64,
        momentum: Option<f64>,
        gradient_scale: impl Into<Factor>,
    ) -> M {
        let mut step = Step {
            optimizer: self,
            gradients: gradients.into_inner().into_iter().collect(),
            learning_rate,
            momentum,
            gradient_scale: gradient_scale.into(),
        };
        map_parameters(model, &mut step)
    }
}

/// A step in progress.
struct Step<'a> {
    optimizer: &'a mut Optimizer,
    gradients: BTreeMap<String, Gradient>,
    learning_rate: f64,
    momentum: Option<f64>,
    gradient_scale: Factor,
}

impl ParameterMap for Step<'_> {
    fn wants(&mut self, id: &ParameterId) -> bool {
        self.gradients.contains_key(&id.path)
    }

    fn map(&mut self, id: &ParameterId, shape: &[usize], parameter: Tensor<1>) -> Tensor<1> {
        let Some(gradient) = self.gradients.remove(&id.path) else {
            return parameter;
        };
        let group = self.optimizer.groups.at(id.place, id.role);
        let state = self.optimizer.states.entry(id.path.clone()).or_default();
        state.step += 1;
        let settings = StepSettings {
            learning_rate: self.learning_rate,
            learning_rate_scale: group.learning_rate_scale,
            weight_decay: group.weight_decay,
            momentum: self.momentum,
            gradient_scale: self.gradient_scale.clone(),
        };
        self.optimizer
            .config
            .update(parameter, gradient, shape, state, settings)
    }
}
