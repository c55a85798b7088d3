//! A trial step, which shows whether a step fits into memory.

use std::path::Path;

use burn::tensor::Device;
use finetune_data::PackedBatch;
use finetune_infer::objective;
use finetune_kernels::{DropoutSource, Offsets, PackedTokens};

use crate::{
    BaseModel, EmaState, Learner, OptimizerState, StepLoss, Strategy, TrainError, TrainPlan,
    pair_loss, prepare,
};

/// Returns batch sizes that give the same rows per step as `batch_size` times `accumulation`, each with
/// its accumulation. They decrease from `batch_size`, each to at most half of the one before.
pub fn batch_sizes(batch_size: usize, accumulation: usize) -> impl Iterator<Item = (usize, usize)> {
    let smaller = move |&size: &usize| {
        (1..=size / 2)
            .rev()
            .find(|half| batch_size.is_multiple_of(*half))
    };
    std::iter::successors(Some(batch_size), smaller)
        .map(move |size| (size, accumulation * (batch_size / size)))
}

/// Takes one step of `plan` on a made-up batch of rows of `length` tokens, with everything that needs
/// memory: gradients, the sum over two batches if they are accumulated, the optimizer's state and the
/// moving average. `base` is the base model's directory.
///
/// A step that does not fit into memory can end the process in several ways, so run this in a separate
/// process.
///
/// # Errors
/// Fails if the model cannot be prepared, or the step fails.
pub fn trial_step(
    plan: &TrainPlan,
    base: &Path,
    length: usize,
    device: &Device,
) -> Result<(), TrainError> {
    let prepared = prepare(plan, &BaseModel::open(base)?, device)?;
    let vocabulary = prepared.model.config().vocab_size as u32;
    let learner = Learner::new(
        plan,
        prepared.model,
        None,
        OptimizerState::default(),
        EmaState::default(),
    )?;
    let batch = rows(plan, length, vocabulary);
    let batches = vec![batch; plan.optimization.gradient_accumulation_steps.min(2)];
    let dropout = |index| DropoutSource::at(plan.seed, index as u32);
    let (losses, gradients) = match plan.model.strategy {
        Strategy::Contrastive => pair_loss(&learner.model, &batches, dropout)?,
        _ => {
            let loss = plan.optimization.loss();
            let loss = StepLoss::new(&loss, learner.frozen_layers(), None);
            loss.backward(&learner.model, &batches, dropout)?
        }
    };
    drop(learner.step(gradients, plan.optimization.learning_rate, None, 1.0));
    // A GPU has done the step when a loss can be read.
    losses.total();
    Ok(())
}

fn rows(plan: &TrainPlan, length: usize, vocabulary: u32) -> PackedBatch {
    // A pair has two rows.
    let rows = plan.optimization.batch_rows(length)
        * match plan.model.strategy {
            Strategy::Contrastive => 2,
            _ => 1,
        };
    let tokens = rows * length;
    let width = plan.data.labels.len().max(1);
    PackedBatch {
        tokens: PackedTokens {
            ids: (0..tokens).map(|token| token as u32 % vocabulary).collect(),
            type_ids: vec![0; tokens].into(),
            positions: (0..tokens).map(|token| (token % length) as u32).collect(),
            offsets: Offsets::from_lengths(std::iter::repeat_n(length as u32, rows)),
            used_rows: None,
        },
        rows: (0..rows as u64).collect(),
        labels: objective::of(plan.data.problem_type).made_up_labels(rows, width),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_a_step_stay_the_same() {
        let sizes = |batch, accumulation| batch_sizes(batch, accumulation).collect::<Vec<_>>();
        assert_eq!(sizes(16, 1), [(16, 1), (8, 2), (4, 4), (2, 8), (1, 16)]);
        assert_eq!(sizes(12, 2), [(12, 2), (6, 4), (3, 8), (1, 24)]);
        assert_eq!(sizes(7, 3), [(7, 3), (1, 21)]);
        assert_eq!(sizes(1, 4), [(1, 4)]);
    }
}
