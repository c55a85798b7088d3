//! Evaluates a model on labelled rows, batch by batch.

use burn::{Tensor, module::Module};
use finetune_data::{BatchSize, PackedBatch, Sampler, SamplerOptions, TokenizedDataset};
use finetune_kernels::{DropoutSource, values_of};
use finetune_models::SequenceClassifier;

use crate::{Accumulator, InferError, Workers};

/// Rows are sorted by length within groups of this many batches: results do not depend on the order,
/// and rows of similar length need less padding.
const LENGTH_BUCKETS: usize = 64;

/// Returns the order in which [`evaluate`] processes the rows: `[rows]`, row numbers of `data`.
///
/// # Errors
/// Fails if the token cache cannot be read.
pub fn evaluation_order(
    data: &TokenizedDataset,
    batch_size: usize,
) -> Result<Vec<u64>, InferError> {
    let mut order = Vec::with_capacity(data.len() as usize);
    for batch in sampler(data, batch_size)?.epoch(0)? {
        order.extend(batch?);
    }
    Ok(order)
}

fn sampler(data: &TokenizedDataset, batch_size: usize) -> Result<Sampler, InferError> {
    let options = SamplerOptions {
        batch: BatchSize::Rows(batch_size),
        seed: 0,
        shuffle: false,
        length_buckets: Some(LENGTH_BUCKETS),
    };
    Ok(Sampler::new(data, options)?)
}

/// Evaluates `model` on all rows of `data`, `batch_size` at a time. After each batch, `progress`
/// receives the number of rows done, and can stop the evaluation with an error. `split` names the
/// rows in messages.
///
/// # Errors
/// Fails if the labels do not fit the model, if the token cache cannot be read, or if `progress`
/// fails.
pub fn evaluate<E>(
    model: &SequenceClassifier,
    data: &TokenizedDataset,
    split: &str,
    batch_size: usize,
    progress: impl FnMut(u64) -> Result<(), E>,
) -> Result<Accumulator, E>
where
    E: From<InferError> + Send,
{
    let forward = |model: &SequenceClassifier, batch: &PackedBatch| {
        let logits = model.forward(&batch.tokens, DropoutSource::OFF);
        Ok(logits.map_err(InferError::from)?)
    };
    evaluate_with(model, data, split, batch_size, forward, progress)
}

/// Evaluates as [`evaluate`] does, but computes a batch's logits, `[batch, outputs]`, with `forward`,
/// which can reuse activations that are already known. `forward` receives the model without autodiff.
///
/// # Errors
/// Fails as `evaluate` does, or if `forward` fails.
pub fn evaluate_with<E>(
    model: &SequenceClassifier,
    data: &TokenizedDataset,
    split: &str,
    batch_size: usize,
    forward: impl Fn(&SequenceClassifier, &PackedBatch) -> Result<Tensor<2>, E> + Sync,
    progress: impl FnMut(u64) -> Result<(), E>,
) -> Result<Accumulator, E>
where
    E: From<InferError> + Send,
{
    let model = model.valid();
    let mut accumulator = Accumulator::of(model.config())?;
    let workers = Workers::of(&model.device());
    let evaluated = |batch: &PackedBatch| {
        let logits = workers.run(|| forward(&model, batch))?;
        let width = logits.dims()[1];
        let logits = values_of(logits);
        let accepted = accumulator.update(&logits, width, &batch.labels);
        if !accepted.map_err(InferError::from)? {
            return Err(E::from(InferError::RowLabels {
                split: split.into(),
                outputs: width,
                problem_type: model.config().outputs.problem_type(),
            }));
        }
        Ok(())
    };
    evaluate_batches(data, batch_size, evaluated, progress)?;
    Ok(accumulator)
}

/// Calls `evaluated` for each batch of an evaluation, and `progress` after it with the number of rows done.
///
/// # Errors
/// Fails if the token cache cannot be read, or if one of the functions fails.
pub fn evaluate_batches<E: From<InferError>>(
    data: &TokenizedDataset,
    batch_size: usize,
    mut evaluated: impl FnMut(&PackedBatch) -> Result<(), E>,
    mut progress: impl FnMut(u64) -> Result<(), E>,
) -> Result<(), E> {
    let mut rows = 0;
    let batches = sampler(data, batch_size)?.epoch(0);
    for batch in batches.map_err(InferError::from)? {
        let batch = batch.and_then(|rows| data.batch(&rows));
        let batch = batch.map_err(InferError::from)?;
        evaluated(&batch)?;
        rows += batch.batch_size() as u64;
        progress(rows)?;
    }
    Ok(())
}
