//! An exponential moving average of the trained weights.

use std::collections::BTreeMap;

use burn::Tensor;
use finetune_kernels::moving_average;
use finetune_models::{Described, ParameterId, ParameterMap, map_parameters, visit_parameters};

use crate::TrainError;

/// The average of the trained parameters over the steps, which is evaluated and saved in their place:
/// torch's `AveragedModel` with `get_ema_multi_avg_fn(decay)`. Parameters that are not trained have no
/// average and take no memory.
#[derive(Debug)]
pub struct Ema {
    decay: f64,
    averages: BTreeMap<String, Tensor<1>>,
}

/// The averages by path, flattened. They share memory with the [`Ema`] until its next update, which
/// then allocates new ones.
#[derive(Clone, Debug, Default)]
pub struct EmaState {
    /// Pairs of path, such as `layers.0.query.weight`, and average.
    pub tensors: Vec<(String, Tensor<1>)>,
}

impl Ema {
    /// Creates an average that keeps the fraction `decay` of itself in each update, such as 0.999.
    ///
    /// # Errors
    /// Fails with [`TrainError::Value`] unless `decay` is at least 0 and below 1.
    pub fn new(decay: f64) -> Result<Self, TrainError> {
        match (0.0..1.0).contains(&decay) {
            true => Ok(Self {
                decay,
                averages: BTreeMap::new(),
            }),
            false => Err(TrainError::Value {
                key: "ema_decay",
                found: format!("{decay:?}"),
                expected: "a number of at least 0 and below 1, such as 0.999".into(),
            }),
        }
    }

    /// Includes the weights after an optimizer step. The average of a parameter starts with its
    /// value after its first step, so one that is unfrozen later joins later.
    pub fn update<M: Described>(&mut self, model: &M) {
        visit_parameters(model, &mut |id, parameter| {
            if !parameter.is_trained() {
                return;
            }
            let values = parameter.values();
            let average = match self.averages.remove(&id.path) {
                Some(average) => moving_average(average, values, self.decay),
                None => values,
            };
            self.averages.insert(id.path.clone(), average);
        });
    }

    /// Returns `model` with its weights replaced by the averages. Memory is shared with them, so
    /// passing a `model.clone()` costs nothing.
    pub fn averaged<M: Described>(&self, model: M) -> M {
        struct Replace<'a>(&'a BTreeMap<String, Tensor<1>>);
        impl ParameterMap for Replace<'_> {
            fn wants(&mut self, id: &ParameterId) -> bool {
                self.0.contains_key(&id.path)
            }
            fn map(&mut self, id: &ParameterId, _: &[usize], values: Tensor<1>) -> Tensor<1> {
                self.0.get(&id.path).cloned().unwrap_or(values)
            }
        }
        map_parameters(model, &mut Replace(&self.averages))
    }

    /// Returns the state to save, from which [`restore`](Self::restore) continues to the same bits.
    pub fn state(&self) -> EmaState {
        let tensors = self.averages.iter();
        let tensors = tensors.map(|(path, tensor)| (path.clone(), tensor.clone()));
        EmaState {
            tensors: tensors.collect(),
        }
    }

    /// Restores saved averages of parameters of `model`, on its device. A trained parameter without an
    /// average joins at the next update, as if it were unfrozen then.
    ///
    /// # Errors
    /// Fails with [`TrainError::State`] if an average is unknown or of another size; the average is
    /// then unchanged.
    pub fn restore<M: Described>(&mut self, model: &M, saved: EmaState) -> Result<(), TrainError> {
        let mut tensors: BTreeMap<_, _> = saved.tensors.into_iter().collect();
        let mut averages = BTreeMap::new();
        let mut problem = None;
        visit_parameters(model, &mut |id, parameter| {
            let (path, shape) = (&id.path, parameter.shape());
            let Some(tensor) = tensors.remove(path) else {
                return;
            };
            let found = tensor.shape().num_elements();
            let expected: usize = shape.iter().product();
            if found != expected {
                problem.get_or_insert(format!(
                    "{path} has {found} elements; expected {expected} for a parameter of shape {shape:?}"
                ));
            }
            averages.insert(path.clone(), tensor);
        });
        let unknown = tensors.keys().next();
        let unknown = unknown.map(|path| format!("the model has no {path}"));
        match problem.or(unknown) {
            Some(problem) => Err(TrainError::State {
                what: "weight average",
                problem,
            }),
            None => {
                self.averages = averages;
                Ok(())
            }
        }
    }
}
