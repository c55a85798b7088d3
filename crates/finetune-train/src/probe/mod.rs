//! A timed probe of a run: a few of its steps and evaluations, with which its time and memory can be told
//! before it begins. Nothing is written but files without a name.

mod sample;
pub mod workload;

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use finetune_data::TokenizedDataset;
use finetune_files::IoContext;
use finetune_infer::Workers;
use finetune_kernels::DropoutSource;
use finetune_models::{SequenceClassifier, TOKENIZER_FILES, set_trained};
use finetune_peft::{NamedTensor, data_bytes, stream_tensors};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use self::sample::{ChosenSteps, ProbedStep, Work, evenly, heaviest_rows, used_words};
use crate::{
    BaseModel, Checkpoints, Contrastive, EmaState, FeatureStore, FrozenPrefix, HeldOut, Interval,
    Learner, Learning, Observers, OptimizerState, Prepared, RunInputs, Steps, Strategy, Supervised,
    TrainData, TrainError, TrainPlan, TrainedModel, Unfreezing, Workload, batches, clip_factor,
    peak_memory_bytes, prepare,
};

/// Number of steps that stand for all steps of a run, or of a phase of it if it unfreezes layers.
const STEPS: (usize, usize) = (9, 3);
/// The steps are repeated until they have taken this long, but at most [`MOST_ROUNDS`] times.
const MEASURED: Duration = Duration::from_secs(3);
const MOST_ROUNDS: usize = 4;

/// What a run takes, measured on a few of its steps and extrapolated. Times are in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Parameters of the model, with its adapter.
    pub parameters: u64,
    /// Trained parameters.
    pub trainable_parameters: u64,
    /// Steps that were timed.
    pub timed_steps: u64,
    /// The mean time of a step of the run.
    pub step_seconds: f64,
    /// The time before the first step, for the results of frozen layers that are stored.
    pub preparation_seconds: f64,
    /// The time of an evaluation of the validation rows.
    pub evaluation_seconds: f64,
    /// The time of completing the model before each evaluation and checkpoint: the head of strategy
    /// `contrastive`.
    pub completion_seconds: f64,
    /// The time of evaluating the test rows.
    pub test_seconds: f64,
    /// The time of writing a checkpoint, in the background.
    pub checkpoint_seconds: f64,
    /// The time of writing the kept model.
    pub model_seconds: f64,
    /// Bytes of a checkpoint.
    pub checkpoint_bytes: u64,
    /// Bytes of the kept model.
    pub model_bytes: u64,
    /// Bytes of the stored results of frozen layers, in memory and on disk.
    pub feature_bytes: (u64, u64),
    /// Peak memory of the process; `None` if the system does not report it.
    pub peak_memory_bytes: Option<u64>,
}

/// Takes a few steps of a run, and evaluates some of its rows. `directory` is where the run would write; only
/// files without a name are written there. The peak memory is that of this process, so call this in a process
/// that has done nothing but prepare the model.
///
/// # Errors
/// Fails if rows cannot be read or do not fit the model, or if a file cannot be written.
pub fn probe(
    plan: &TrainPlan,
    prepared: Prepared,
    inputs: &RunInputs,
    directory: &Path,
) -> Result<Probe, TrainError> {
    match plan.model.strategy {
        Strategy::Contrastive => of_learning::<Contrastive>(plan, prepared, inputs, directory),
        _ => of_learning::<Supervised>(plan, prepared, inputs, directory),
    }
}

fn of_learning<L: Learning<Model = SequenceClassifier>>(
    plan: &TrainPlan,
    prepared: Prepared,
    inputs: &RunInputs,
    directory: &Path,
) -> Result<Probe, TrainError> {
    let data = &inputs.data;
    let steps = Steps::new(plan, &data.train)?;
    let workload = Workload::of(plan, data)?;
    let config = prepared.model.config().clone();
    let work = Work::of(&config);
    let unfreezing = Unfreezing::new(plan, steps.per_epoch(), &config);
    let phases = phases(&unfreezing, steps.total);
    let count = match phases.len() {
        1 => STEPS.0,
        _ => STEPS.1,
    };
    let tokens = work.tokens_to_measure(config.num_hidden_layers);
    let (mut rows, chosen) = ChosenSteps::of(&steps, &data.train, work, count)?.numbered();
    rows.extend(evenly(&data.train, tokens));
    let batch_size = plan.evaluation.eval_batch_size;
    let held_out = |rows: &TokenizedDataset| {
        let mut chosen = heaviest_rows(rows, batch_size)?;
        chosen.extend(evenly(rows, tokens));
        Ok::<_, TrainError>(rows.select(&chosen)?)
    };
    let sample = RunInputs {
        data: TrainData {
            train: data.train.select(&rows)?,
            validation: held_out(&data.validation)?,
            test: data.test.as_ref().map(held_out).transpose()?,
        },
        ..inputs.clone()
    };
    drop(rows);
    let (adapter, trainable, all) = (prepared.adapter, prepared.trainable, prepared.all);
    let strategy = phases.first().and_then(|(strategy, _)| strategy.clone());
    let (optimizer, ema) = (OptimizerState::default(), EmaState::default());
    let mut learner = Learner::new(plan, prepared.model, strategy, optimizer, ema)?;
    let stored = FrozenPrefix::is_stored(plan, learner.frozen_layers(), &steps);
    let layers = learner.frozen_layers();
    let mut observers = Observers::default();
    let mut begin = |learner: &Learner<L::Model>| {
        let started = Instant::now();
        let learning = L::begin(plan, learner, &sample, &steps, directory, &mut observers)?;
        Ok::<_, TrainError>((learning, started.elapsed().as_secs_f64()))
    };
    // Weights are packed in the first pass.
    drop(begin(&learner)?);
    let (learning, begin_seconds) = begin(&learner)?;

    let mut probing = Probing {
        plan,
        learning: &learning,
        data: &sample.data.train,
        taken: 0,
    };
    if let Some(heaviest) = &chosen.heaviest {
        let words = used_words(&data.train)?;
        (learner, _) = probing.step(learner, heaviest, Some(&words))?;
        (learner, _) = probing.step(learner, heaviest, None)?;
    }
    let (mut step_seconds, mut timed_steps) = (0.0, 0);
    for (number, (strategy, steps_of_phase)) in phases.iter().enumerate() {
        if number > 0
            && let Some(strategy) = strategy
        {
            learner = learner.training(plan, strategy)?;
            if let Some(heaviest) = &chosen.heaviest {
                (learner, _) = probing.step(learner, heaviest, None)?;
            }
        }
        let limit = MEASURED / phases.len() as u32;
        let (mut seconds, mut works, mut times) = (0.0, 0.0, 0);
        for _ in 0..MOST_ROUNDS {
            for step in &chosen.spread {
                let took;
                (learner, took) = probing.step(learner, step, None)?;
                seconds += took;
                works += step.work;
                times += 1;
            }
            if seconds > limit.as_secs_f64() {
                break;
            }
        }
        if times > 0 {
            // The chosen steps may be a little lighter or heavier than all are on average.
            let of_phase = seconds / works * chosen.mean_work;
            step_seconds += of_phase * *steps_of_phase as f64 / steps.total as f64;
            timed_steps += times;
        }
    }
    // A checkpoint holds what it has not written yet, which the next step would otherwise change in place.
    let [of_model, others] = Checkpoints::tensors(&learner, adapter.as_ref())?;
    let (model_bytes, checkpoint_bytes) = (data_bytes(&of_model), data_bytes(&others));
    let checkpoint_bytes = model_bytes + checkpoint_bytes;
    let goes_on = plan.saving.save != Interval::No && workload.checkpoints > 1;
    let next = chosen.spread.get(chosen.spread.len() / 2);
    let file = tempfile::tempfile_in(directory).context("write", directory)?;
    let written = thread::scope(|scope| {
        let writing = scope.spawn(|| seconds_to_write([of_model, others], file));
        if let Some(step) = next.filter(|_| goes_on) {
            (learner, _) = probing.step(learner, step, None)?;
        }
        let panicked = |_| TrainError::Internal("the thread that writes panicked".into());
        let written = writing.join().map_err(panicked)?;
        Ok::<_, TrainError>((learner, written.context("write", directory)?))
    })?;
    let write_seconds;
    (learner, write_seconds) = written;

    let started = Instant::now();
    learner = learning.completed(learner)?;
    let completion_seconds = started.elapsed().as_secs_f64();
    let mut evaluated = |model: &SequenceClassifier, held_out: HeldOut<'_>| {
        let mut seconds = 0.0;
        // Weights are packed in the first pass.
        for _ in 0..2 {
            let started = Instant::now();
            drop(learning.evaluate(model, held_out, &mut observers)?);
            seconds = started.elapsed().as_secs_f64();
        }
        Ok::<f64, TrainError>(seconds)
    };
    let share = |all: &TokenizedDataset, sample: &TokenizedDataset| {
        Ok::<f64, TrainError>(work.of_all(all)? / work.of_all(sample)?.max(1.0))
    };
    let of_train = share(&data.train, &sample.data.train)?;
    let of_validation = share(&data.validation, &sample.data.validation)?;
    let rows = HeldOut::Validation(&sample.data.validation);
    let evaluation_seconds = of_validation * evaluated(&learner.result(), rows)?;
    // The test rows are evaluated with the kept model, when the trained one is gone.
    let device = learner.model.device().inner();
    drop(learner);
    let test_seconds = match (&data.test, &sample.data.test) {
        (Some(test), Some(sample)) => {
            let kept = prepare(plan, &BaseModel::open(&inputs.base)?, &device)?.model;
            let mut kept = set_trained(kept, &|_| false);
            kept.pack_frozen(true);
            share(test, sample)? * evaluated(&kept, HeldOut::Test(sample))?
        }
        _ => 0.0,
    };

    let sizes = |data: &TrainData| {
        let rows = [&data.train, &data.validation].into_iter().zip(stored);
        let sizes = rows.filter(|(_, is_stored)| *is_stored);
        sizes
            .map(|(rows, _)| FeatureStore::size_of(rows, layers, &config))
            .sum::<u64>()
    };
    let limits = plan.model.feature_cache;
    let (all_bytes, sample_bytes) = (sizes(data), sizes(&sample.data));
    let in_memory = all_bytes.min(limits.memory_bytes);
    let on_disk = (all_bytes - in_memory).min(limits.disk_bytes);
    let share_filled = (in_memory + on_disk) as f64 / all_bytes.max(1) as f64;
    let preparation_seconds = match all_bytes {
        0 => begin_seconds,
        _ => begin_seconds * all_bytes as f64 / sample_bytes.max(1) as f64 * share_filled,
    };
    let others = tokenizer_bytes(&inputs.base);
    let per_byte = write_seconds / checkpoint_bytes.max(1) as f64;
    let peak = peak_memory_bytes();
    Ok(Probe {
        parameters: all,
        trainable_parameters: trainable,
        timed_steps,
        step_seconds,
        preparation_seconds,
        evaluation_seconds,
        completion_seconds: completion_seconds * of_train,
        test_seconds,
        checkpoint_seconds: per_byte * (checkpoint_bytes + others) as f64,
        model_seconds: per_byte * (model_bytes + others) as f64,
        checkpoint_bytes: checkpoint_bytes + others,
        model_bytes: model_bytes + others,
        feature_bytes: (in_memory, on_disk),
        peak_memory_bytes: peak
            .map(|peak| peak + in_memory.saturating_sub(sample_bytes.min(limits.memory_bytes))),
    })
}

/// Returns the strategies in force one after another, each with its number of steps: one, unless layers are
/// unfrozen step by step.
fn phases(unfreezing: &Unfreezing, total: u64) -> Vec<(Option<Strategy>, u64)> {
    let first = unfreezing.in_force(0);
    if first.is_none() {
        return vec![(None, total)];
    }
    let mut phases = vec![(first, 0)];
    for step in 0..total {
        if let Some(strategy) = unfreezing.begins_at(step) {
            phases.push((Some(strategy), 0));
        }
        if let Some((_, steps)) = phases.last_mut() {
            *steps += 1;
        }
    }
    phases
}

/// Takes steps on a sample of the rows.
struct Probing<'a, L> {
    plan: &'a TrainPlan,
    learning: &'a L,
    data: &'a TokenizedDataset,
    taken: u32,
}

impl<L: Learning> Probing<'_, L> {
    /// Takes a step as the training loop does, and returns its time. With `words` these words count as used by
    /// the step.
    fn step(
        &mut self,
        learner: Learner<L::Model>,
        step: &ProbedStep,
        words: Option<&Arc<[u32]>>,
    ) -> Result<(Learner<L::Model>, f64), TrainError> {
        let Self {
            plan,
            learning,
            data,
            taken,
        } = self;
        let workers = Workers::of(&learner.model.device());
        let first = *taken;
        *taken += step.batches.len() as u32;
        let started = Instant::now();
        let batches = batches(data, &step.batches)?;
        let dropout = |index| DropoutSource::at(plan.seed, first + index as u32);
        let backward = || learning.backward(&learner, &batches, 0, dropout);
        let (losses, mut gradients) = workers.run(backward)?;
        if let Some(words) = words {
            gradients = gradients.with_word_rows(words);
        }
        let clip = clip_factor(gradients.global_norm(), plan.optimization.max_grad_norm);
        let rate = plan.optimization.learning_rate;
        let learner = workers.run(|| learner.step(gradients, rate, None, clip));
        // A GPU has done the step when a loss can be read.
        losses.total();
        Ok((learner, started.elapsed().as_secs_f64()))
    }
}

/// Returns the size of the tokenizer's files, which every saved model has.
fn tokenizer_bytes(base: &Path) -> u64 {
    let sizes = TOKENIZER_FILES.iter().filter_map(|name| {
        let metadata = std::fs::metadata(base.join(name)).ok()?;
        Some(metadata.len())
    });
    sizes.sum()
}

/// Writes tensors to a file as a checkpoint does, and returns how long that took.
fn seconds_to_write(tensors: [Vec<NamedTensor>; 2], file: File) -> io::Result<f64> {
    /// Hashes what it writes.
    struct Hashed(BufWriter<File>, Sha256);
    impl Write for Hashed {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = self.0.write(bytes)?;
            self.1.update(&bytes[..count]);
            Ok(count)
        }
        fn flush(&mut self) -> io::Result<()> {
            self.0.flush()
        }
    }
    let started = Instant::now();
    let mut out = Hashed(BufWriter::new(file), Sha256::new());
    for tensors in tensors {
        stream_tensors(tensors, &mut out)?;
    }
    out.flush()?;
    out.0.get_ref().sync_all()?;
    out.1.finalize();
    Ok(started.elapsed().as_secs_f64())
}
