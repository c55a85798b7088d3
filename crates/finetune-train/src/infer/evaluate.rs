//! A model on labelled rows: metrics, streamed.

use burn::module::Module;
use finetune_data::{BatchSize, Labels, Sampler, SamplerOptions, TokenizedDataset};
use finetune_kernels::DropoutSource;
use finetune_metrics::{ClassificationAccumulator, MultiLabelAccumulator, RegressionAccumulator};
use finetune_models::{SequenceClassifier, Task};

use crate::{Accumulator, Event, FeatureStore, Observers, TrainError, Workers, forward};

/// Batches are cut from this many batches' rows sorted by length: the results do not depend on the
/// order, and similar lengths are cheaper.
const LENGTH_BUCKETS: usize = 64;

/// The order in which [`evaluate`] comes to the rows: `[rows]`, row numbers of `data`.
///
/// # Errors
/// A token cache that cannot be read.
pub fn evaluation_order(
    data: &TokenizedDataset,
    batch_size: usize,
) -> Result<Vec<u64>, TrainError> {
    let mut order = Vec::with_capacity(data.len() as usize);
    for batch in sampler(data, batch_size)?.epoch(0)? {
        order.extend(batch?);
    }
    Ok(order)
}

fn sampler(data: &TokenizedDataset, batch_size: usize) -> Result<Sampler, TrainError> {
    let options = SamplerOptions {
        batch: BatchSize::Rows(batch_size),
        seed: 0,
        shuffle: false,
        length_buckets: Some(LENGTH_BUCKETS),
    };
    Ok(Sampler::new(data, options)?)
}

/// Evaluates `model` on all rows of `data`, `batch_size` at a time, and tells observers how far it
/// is. `split` is for them. `features` has the results of frozen layers for these rows, where those
/// are kept.
pub fn evaluate(
    model: &SequenceClassifier,
    data: &TokenizedDataset,
    features: Option<&FeatureStore>,
    split: &'static str,
    batch_size: usize,
    observers: &mut Observers<'_>,
) -> Result<Accumulator, TrainError> {
    let model = model.valid();
    let mut accumulator = match &model.config().outputs {
        Task::Classes(names) => {
            Accumulator::Classification(ClassificationAccumulator::new(names.clone()))
        }
        Task::MultiLabel(names) => {
            let mut all = MultiLabelAccumulator::new(names.clone());
            if let Some(thresholds) = &model.config().label_thresholds {
                all.set_thresholds(thresholds)?;
            }
            Accumulator::MultiLabel(all)
        }
        Task::Regression(names) => Accumulator::Regression(RegressionAccumulator::new(names.len())),
    };
    observers.emit(&Event::Evaluating {
        split,
        rows: data.len(),
    })?;
    let workers = Workers::of(&model.device());
    let mut rows = 0;
    for batch in sampler(data, batch_size)?.epoch(0)? {
        let batch = data.batch(&batch?)?;
        let forward = || forward(&model, &batch, 0, features, DropoutSource::OFF);
        let logits = workers.run(forward)?;
        let width = logits.dims()[1];
        let logits: Vec<f32> = logits.into_data().iter::<f32>().collect();
        match (&mut accumulator, &batch.labels) {
            (Accumulator::Classification(all), Labels::Classes(targets)) => {
                for (row, &target) in logits.chunks(width).zip(targets) {
                    all.update(row, target as usize, cross_entropy(row, target))?;
                }
            }
            (
                Accumulator::MultiLabel(all),
                Labels::MultiLabel {
                    width: labels,
                    values,
                },
            ) if *labels == width => {
                for (row, targets) in logits.chunks(width).zip(values.chunks(width)) {
                    all.update(row, targets, binary_cross_entropy(row, targets))?;
                }
            }
            (
                Accumulator::Regression(all),
                Labels::Values {
                    width: labels,
                    values,
                },
            ) if *labels == width => {
                for (prediction, target) in logits.chunks(width).zip(values.chunks(width)) {
                    all.update(prediction, target, squared_error(prediction, target))?;
                }
            }
            _ => {
                return Err(TrainError::Plan(format!(
                    "the labels of the {split} rows do not fit the model, which has {width} outputs for {}",
                    model.config().outputs.problem_type()
                )));
            }
        }
        rows += batch.batch_size() as u64;
        observers.emit(&Event::EvaluationProgress { rows })?;
        if observers.interrupted() {
            return Err(TrainError::Interrupted);
        }
    }
    Ok(accumulator)
}

/// `-log softmax(row)[target]`, in f64 and without overflow.
fn cross_entropy(row: &[f32], target: u32) -> f64 {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shifted = |logit: f32| f64::from(logit) - f64::from(largest);
    let sum: f64 = row.iter().map(|&logit| shifted(logit).exp()).sum();
    sum.ln()
        - row
            .get(target as usize)
            .map_or(0.0, |&logit| shifted(logit))
}

/// Binary cross-entropy of one row's logits against zeros and ones, averaged over the classes, in
/// f64 and without overflow.
fn binary_cross_entropy(row: &[f32], targets: &[bool]) -> f64 {
    let losses = row.iter().zip(targets).map(|(&logit, &target)| {
        let (logit, target) = (f64::from(logit), f64::from(u8::from(target)));
        logit.max(0.0) - logit * target + (-logit.abs()).exp().ln_1p()
    });
    losses.sum::<f64>() / row.len().max(1) as f64
}

/// Mean squared error of one row's outputs.
fn squared_error(predictions: &[f32], targets: &[f64]) -> f64 {
    let pairs = predictions.iter().zip(targets);
    let errors = pairs.map(|(&prediction, &target)| f64::from(prediction) - target);
    errors.map(|error| error * error).sum::<f64>() / predictions.len().max(1) as f64
}
