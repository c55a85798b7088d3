//! The state that an optimizer keeps for each parameter, and how it is saved and restored.

use std::{collections::BTreeMap, sync::Arc};

use burn::Tensor;
use finetune_kernels::{values_of, zeros};
use finetune_models::{Described, visit_parameters};

use super::Optimizer;
use crate::{OptimizerConfig, TrainError, step::gradient::RowGradient};

/// All state that an optimizer keeps between steps. The tensors share memory with the optimizer until
/// its next step, which then allocates new ones, so taking a state copies nothing.
#[derive(Clone, Debug, Default)]
pub struct OptimizerState {
    /// Flattened tensors named `PATH.SLOT`, such as `layers.0.query.weight.exp_avg`; slots have the
    /// names of torch, or transformers.
    pub tensors: Vec<(String, Tensor<1>)>,
    /// Number of steps of each parameter, by path.
    pub steps: BTreeMap<String, u64>,
}

/// The state of one parameter.
#[derive(Clone, Debug, Default)]
pub(super) struct ParameterState {
    /// Number of its steps.
    pub step: u64,
    /// Tensors by slot.
    pub tensors: BTreeMap<&'static str, Tensor<1>>,
    /// Whether each row of a table has ever had a gradient. The moments tell this too, so it is not
    /// saved.
    pub used_rows: Option<Vec<bool>>,
}

impl ParameterState {
    /// Takes a slot's tensor, so that the step can write in place; before the first step it is zero.
    pub fn take(&mut self, slot: &'static str, length: usize, like: &Tensor<1>) -> Tensor<1> {
        let zeros = || zeros(length, like);
        self.tensors.remove(slot).unwrap_or_else(zeros)
    }

    /// Marks the rows of a gradient as used, and returns which rows have been used so far.
    pub fn use_rows(&mut self, gradient: &RowGradient, moments: [&Tensor<1>; 2]) -> Arc<[bool]> {
        let columns = gradient.values.dims()[1];
        let is_first = self.step == 1;
        let used = self.used_rows.get_or_insert_with(|| match is_first {
            true => vec![false; gradient.table_rows],
            false => nonzero_rows(moments, columns),
        });
        for &row in &*gradient.rows {
            used[row as usize] = true;
        }
        used.as_slice().into()
    }

    pub fn put(&mut self, slot: &'static str, tensor: Tensor<1>) {
        self.tensors.insert(slot, tensor);
    }
}

/// Returns whether each row of a table has a moment other than zero.
fn nonzero_rows(moments: [&Tensor<1>; 2], columns: usize) -> Vec<bool> {
    let [first, second] = moments.map(|moment| {
        let values = values_of(moment.clone());
        let rows = values.chunks_exact(columns.max(1));
        rows.map(|row| row.iter().any(|value| value.to_bits() != 0))
            .collect::<Vec<_>>()
    });
    first.iter().zip(&second).map(|(a, b)| a | b).collect()
}

/// A tensor that an optimizer keeps for a parameter.
struct Slot {
    name: &'static str,
    length: usize,
    /// Whether every parameter that has taken steps has it.
    required: bool,
}

impl OptimizerConfig {
    /// Returns the tensors kept for a parameter of this shape.
    fn slots(&self, shape: &[usize]) -> Vec<Slot> {
        let length = shape.iter().product();
        let slot = |name, length| Slot {
            name,
            length,
            required: true,
        };
        match self {
            Self::AdamW(_) | Self::Adam(_) => {
                vec![slot("exp_avg", length), slot("exp_avg_sq", length)]
            }
            // A schedule that cycles the momentum creates the buffer even if the setting is 0.
            Self::Sgd(sgd) => vec![Slot {
                name: "momentum_buffer",
                length,
                required: sgd.momentum > 0.0,
            }],
            Self::Adafactor(adafactor) => {
                let mut slots = match shape {
                    &[rows, columns] => vec![
                        slot("exp_avg_sq_row", rows),
                        slot("exp_avg_sq_col", columns),
                    ],
                    _ => vec![slot("exp_avg_sq", length)],
                };
                if adafactor.beta1.is_some() {
                    slots.push(slot("exp_avg", length));
                }
                slots
            }
        }
    }
}

impl Optimizer {
    /// Returns the state to save, from which [`restore`](Self::restore) continues to the same bits.
    pub fn state(&self) -> OptimizerState {
        let mut state = OptimizerState::default();
        for (path, parameter) in &self.states {
            state.steps.insert(path.clone(), parameter.step);
            for (slot, tensor) in &parameter.tensors {
                let tensor = (format!("{path}.{slot}"), tensor.clone());
                state.tensors.push(tensor);
            }
        }
        state
    }

    /// Restores the saved state of the parameters of `model`, whose device must hold the tensors. A
    /// parameter without saved steps starts afresh, as one that has yet to be unfrozen.
    ///
    /// # Errors
    /// Fails with [`TrainError::State`] if a tensor is missing, unknown or of another size; the
    /// optimizer is then unchanged.
    pub fn restore<M: Described>(
        &mut self,
        model: &M,
        saved: OptimizerState,
    ) -> Result<(), TrainError> {
        let mut tensors: BTreeMap<_, _> = saved.tensors.into_iter().collect();
        let mut steps = saved.steps;
        let mut states = BTreeMap::new();
        let mut problem = None;
        visit_parameters(model, &mut |id, parameter| {
            let (path, shape) = (&id.path, parameter.shape());
            let Some(step) = steps.remove(path) else {
                return;
            };
            let mut state = ParameterState {
                step,
                ..Default::default()
            };
            for slot in self.config.slots(&shape) {
                let name = format!("{path}.{}", slot.name);
                match tensors.remove(&name) {
                    None if slot.required => {
                        problem.get_or_insert(format!("there is no {name}"));
                    }
                    None => {}
                    Some(tensor) => {
                        let found = tensor.shape().num_elements();
                        if found != slot.length {
                            problem.get_or_insert(format!(
                                "{name} has {found} elements; expected {} for a parameter of shape {shape:?}",
                                slot.length
                            ));
                        }
                        state.put(slot.name, tensor);
                    }
                }
            }
            states.insert(path.clone(), state);
        });
        let unknown = steps.keys().chain(tensors.keys()).next();
        let unknown = unknown.map(|name| format!("the model and its optimizer have no {name}"));
        match problem.or(unknown) {
            Some(problem) => Err(TrainError::State {
                what: "optimizer",
                problem,
            }),
            None => {
                self.states = states;
                Ok(())
            }
        }
    }
}
