//! AdamW over a model's parameters.

use std::collections::BTreeMap;

use burn::{
    Tensor,
    module::{Module, ModuleMapper, Param},
};
use finetune_kernels::{AdamWStep, adamw_step};
use finetune_models::SequenceClassifier;
use serde::{Deserialize, Serialize};

use crate::ParameterGradients;

/// Settings of AdamW (Loshchilov & Hutter 2019); the defaults are those of transformers' Trainer,
/// but for the weight decay.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdamWConfig {
    /// Decay rate of the first moment.
    pub beta_1: f64,
    /// Decay rate of the second moment.
    pub beta_2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay; not applied to biases and norms.
    pub weight_decay: f64,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.01,
        }
    }
}

/// AdamW and its moments.
#[derive(Debug)]
pub struct AdamW {
    config: AdamWConfig,
    /// First and second moment by path, flattened; absent until a first gradient.
    moments: BTreeMap<String, (Tensor<1>, Tensor<1>)>,
    step: u64,
}

impl AdamW {
    /// An optimizer with moments of zero.
    pub fn new(config: AdamWConfig) -> Self {
        Self {
            config,
            moments: BTreeMap::new(),
            step: 0,
        }
    }

    /// One step: every parameter with a gradient moves. The gradients are multiplied with
    /// `gradient_scale` first.
    pub fn step(
        &mut self,
        model: SequenceClassifier,
        gradients: ParameterGradients,
        learning_rate: f64,
        gradient_scale: f64,
    ) -> SequenceClassifier {
        self.step += 1;
        let step = AdamWStep {
            learning_rate,
            beta_1: self.config.beta_1,
            beta_2: self.config.beta_2,
            epsilon: self.config.epsilon,
            weight_decay: self.config.weight_decay,
            step: self.step,
            gradient_scale,
        };
        let mut update = Update {
            optimizer: self,
            gradients: gradients.into_inner().into_iter().collect(),
            step,
            path: Vec::new(),
        };
        model.map(&mut update)
    }
}

/// Whether weight decay applies to the parameter at this path: not to biases and norms, as in
/// transformers' Trainer; to adapters too.
fn decays(path: &str) -> bool {
    !path.ends_with(".bias") && !path.contains("norm.")
}

/// Walks the model and replaces each parameter.
struct Update<'a> {
    optimizer: &'a mut AdamW,
    gradients: BTreeMap<String, Tensor<1>>,
    step: AdamWStep,
    path: Vec<String>,
}

impl ModuleMapper for Update<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.join(".");
        let Some(gradient) = self.gradients.remove(&path) else {
            return param;
        };
        let (id, tensor, mapper) = param.consume();
        let required = tensor.is_require_grad();
        let tensor = tensor.inner();
        let shape = tensor.shape();
        let parameter = tensor.reshape([shape.num_elements()]);
        let (moment_1, moment_2) = self
            .optimizer
            .moments
            .remove(&path)
            .unwrap_or_else(|| (parameter.zeros_like(), parameter.zeros_like()));
        let mut step = self.step;
        if !decays(&path) {
            step.weight_decay = 0.0;
        }
        let (parameter, moment_1, moment_2) =
            adamw_step(parameter, gradient, moment_1, moment_2, step);
        self.optimizer.moments.insert(path, (moment_1, moment_2));
        let tensor = parameter
            .reshape(shape)
            .autodiff()
            .set_require_grad(required);
        Param::from_mapped_value(id, tensor, mapper)
    }
}
