//! Gradients of one step, by parameter.

use std::{collections::BTreeMap, ops::Add, sync::Arc};

use burn::Tensor;
use finetune_kernels::UsedRows;
use finetune_models::{Described, Role, visit_parameters};

use crate::step::gradient::{Gradient, RowGradient};

/// The gradients of a model's parameters, flattened, in the order of the module tree.
#[derive(Debug)]
pub struct ParameterGradients {
    gradients: Vec<(String, Gradient)>,
}

impl ParameterGradients {
    /// Gradients by path, flattened, as the module holds them.
    pub fn new(gradients: Vec<(String, Tensor<1>)>) -> Self {
        let whole = |(path, gradient)| (path, Gradient::Whole(gradient));
        Self {
            gradients: gradients.into_iter().map(whole).collect(),
        }
    }

    /// Runs the backward pass of `loss` (`[1]`) and takes the gradients of `model`.
    pub fn backward<M: Described>(loss: &Tensor<1>, model: &M) -> Self {
        Self::backward_of_rows(loss, model, None)
    }

    /// [`backward`](Self::backward) where the model was given tokens
    /// [with used rows](finetune_kernels::PackedTokens::with_used_rows): these.
    pub(crate) fn backward_of_rows<M: Described>(
        loss: &Tensor<1>,
        model: &M,
        used: Option<UsedRows>,
    ) -> Self {
        let mut graph = loss.backward();
        let mut gradients = Vec::new();
        visit_parameters(model, &mut |id, parameter| {
            let Some(gradient) = parameter.take_gradient(&mut graph) else {
                return;
            };
            let gradient = match (&used, id.role, &parameter.shape()[..]) {
                // It is zero but for the rows of the batch's tokens.
                (Some(used), Role::WordTable, &[table_rows, columns]) => {
                    Gradient::Rows(RowGradient {
                        rows: Arc::clone(&used.rows),
                        values: gradient.reshape([used.rows.len(), columns]),
                        table_rows,
                    })
                }
                _ => Gradient::Whole(gradient),
            };
            gradients.push((id.path.clone(), gradient));
        });
        Self { gradients }
    }

    /// The L2 norm of all gradients together (what `torch.nn.utils.clip_grad_norm_` returns).
    /// Summed over tensors in f64, read from the device once.
    pub fn global_norm(&self) -> f64 {
        let squares: Vec<_> = self
            .gradients
            .iter()
            .map(|(_, gradient)| gradient.square_sum())
            .collect();
        if squares.is_empty() {
            return 0.0;
        }
        let squares = Tensor::cat(squares, 0).into_data();
        squares.iter::<f64>().sum::<f64>().sqrt()
    }

    /// Each gradient with its parameter's path, as the module holds it (linear weights
    /// `[in, out]`).
    pub fn iter(&self) -> impl Iterator<Item = (String, Tensor<1>)> {
        let whole =
            |(path, gradient): &(String, Gradient)| (path.clone(), gradient.clone().whole());
        self.gradients.iter().map(whole)
    }

    /// The gradients, by path.
    pub(crate) fn into_inner(self) -> Vec<(String, Gradient)> {
        self.gradients
    }
}

/// The sum of both, for a step that takes several batches: into the memory of the left one, each
/// tensor of the right one freed as soon as it is added.
impl Add for ParameterGradients {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let mut others: BTreeMap<_, _> = other.gradients.into_iter().collect();
        let mut gradients: Vec<_> = self
            .gradients
            .into_iter()
            .map(|(path, gradient)| match others.remove(&path) {
                Some(other) => (path, gradient.add(other)),
                None => (path, gradient),
            })
            .collect();
        gradients.extend(others);
        Self { gradients }
    }
}

/// What gradients of norm `norm` are multiplied with so that none is above `max_norm`, as torch
/// does it.
pub fn clip_factor(norm: f64, max_norm: f64) -> f64 {
    (max_norm / (norm + 1e-6)).min(1.0)
}
