//! The gradients of a step, by parameter.

use std::{collections::BTreeMap, ops::Add, sync::Arc};

use burn::Tensor;
use finetune_infer::Workers;
use finetune_kernels::UsedRows;
use finetune_models::{Described, Role, visit_parameters};

use crate::step::gradient::{Gradient, RowGradient};

/// The flattened gradients of a model's parameters, in the order of the module tree.
#[derive(Debug)]
pub struct ParameterGradients {
    gradients: Vec<(String, Gradient)>,
}

impl ParameterGradients {
    /// Creates gradients from pairs of path and values, flattened in the module's layout.
    pub fn new(gradients: Vec<(String, Tensor<1>)>) -> Self {
        let whole = |(path, gradient)| (path, Gradient::Whole(gradient));
        Self {
            gradients: gradients.into_iter().map(whole).collect(),
        }
    }

    /// Runs the backward pass of `loss` (`[1]`) and collects the gradients of `model`.
    pub fn backward<M: Described>(loss: &Tensor<1>, model: &M) -> Self {
        Self::backward_of_rows(loss, model, None)
    }

    /// Does the same as [`backward`](Self::backward), if the model ran on tokens with [used
    /// rows](finetune_kernels::PackedTokens::with_used_rows).
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
                // Only the rows of the batch's tokens are not zero.
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

    /// Returns the L2 norm of all gradients together, like `torch.nn.utils.clip_grad_norm_`. It is
    /// summed over tensors in f64 and read from the device once.
    pub fn global_norm(&self) -> f64 {
        let Some((_, first)) = self.gradients.first() else {
            return 0.0;
        };
        let workers = Workers::of(&first.device());
        let squares = workers.map(&self.gradients, |(_, gradient)| gradient.square_sum());
        let squares = Tensor::cat(squares, 0).into_data();
        squares.iter::<f64>().sum::<f64>().sqrt()
    }

    /// Returns the gradients in the order of the module tree.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Gradient> {
        self.gradients.iter().map(|(_, gradient)| gradient)
    }

    /// Returns each gradient with its parameter's path, in the module's layout (linear weights are
    /// `[in, out]`).
    pub fn iter(&self) -> impl Iterator<Item = (String, Tensor<1>)> {
        let whole =
            |(path, gradient): &(String, Gradient)| (path.clone(), gradient.clone().whole());
        self.gradients.iter().map(whole)
    }

    /// Returns the same gradients, in which those of the word table are tiny but not zero in these rows, in
    /// ascending order, and zero in all others. An optimizer then treats these rows as used.
    pub(crate) fn with_word_rows(mut self, rows: &Arc<[u32]>) -> Self {
        for (_, gradient) in &mut self.gradients {
            if let Gradient::Rows(words) = gradient {
                let shape = [rows.len(), words.values.dims()[1]];
                words.values = Tensor::full(shape, 1e-8, &words.values.device());
                words.rows = Arc::clone(rows);
            }
        }
        self
    }

    /// Returns the gradients by path.
    pub(crate) fn into_inner(self) -> Vec<(String, Gradient)> {
        self.gradients
    }
}

/// Adds gradients, for a step of several batches. The sum reuses the memory of the left operand, and
/// each tensor of the right one is freed once added.
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

/// Returns the factor that scales gradients of norm `norm` down to at most `max_norm`, as torch
/// computes it.
pub fn clip_factor(norm: f64, max_norm: f64) -> f64 {
    (max_norm / (norm + 1e-6)).min(1.0)
}
