//! What an optimizer remembers of each parameter, and how that leaves and comes back.

use std::{collections::BTreeMap, sync::Arc};

use burn::Tensor;
use finetune_kernels::zeros;
use finetune_models::{Described, visit_parameters};

use super::Optimizer;
use crate::{OptimizerConfig, TrainError, step::gradient::RowGradient};

/// Everything that an optimizer has to remember between steps. The tensors share memory with the
/// optimizer until its next step, which then writes elsewhere: taking a state copies nothing.
#[derive(Clone, Debug, Default)]
pub struct OptimizerState {
    /// `PATH.SLOT`, such as `layers.0.query.weight.exp_avg`, with torch's (transformers') name of
    /// the slot; flattened.
    pub tensors: Vec<(String, Tensor<1>)>,
    /// Steps that each parameter took, by path.
    pub steps: BTreeMap<String, u64>,
}

/// What is remembered of one parameter.
#[derive(Clone, Debug, Default)]
pub(super) struct ParameterState {
    /// Steps that it took.
    pub step: u64,
    /// By slot.
    pub tensors: BTreeMap<&'static str, Tensor<1>>,
    /// For each row of a table whether it ever had a gradient. What the moments say, remembered:
    /// it is not saved.
    pub used_rows: Option<Vec<bool>>,
}

impl ParameterState {
    /// Takes a slot's tensor, so that the step can write into it; zeros before the first.
    pub fn take(&mut self, slot: &'static str, length: usize, like: &Tensor<1>) -> Tensor<1> {
        let zeros = || zeros(length, like);
        self.tensors.remove(slot).unwrap_or_else(zeros)
    }

    /// Counts the rows of a gradient as used, and says which have been so far.
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

/// For each row of a table whether one of its moments is anything but zero.
fn nonzero_rows(moments: [&Tensor<1>; 2], columns: usize) -> Vec<bool> {
    let [first, second] = moments.map(|moment| {
        let values: Vec<f32> = moment.to_data().iter::<f32>().collect();
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
    /// Whether a parameter that took steps has it for certain.
    required: bool,
}

impl OptimizerConfig {
    /// The tensors that are kept for a parameter of this shape.
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
            // A momentum that the schedule brings makes a buffer too.
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
    /// What has to be saved so that a later [`restore`](Self::restore) goes on to the same bits.
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

    /// Goes on from a saved state of the parameters of `model`. Tensors have to be on the model's
    /// device. A parameter without saved steps starts anew, as one that is yet to be unfrozen. What
    /// is missing, unknown or of another size is an error, and the optimizer stays as it was.
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
