//! Checkpoints of a run: model directories that open like any other, with the state needed to resume
//! training.

use std::{collections::BTreeMap, num::NonZeroU64, path::PathBuf, time::Instant};

use burn::Tensor;
use finetune_checkpoint::{
    BackgroundWriter, CheckpointDirectory, CheckpointStore, Content, Retention, Saved,
};
use finetune_models::{CONFIG, Described, TOKENIZER_FILES, visit_parameters};
use finetune_peft::{AdapterFile, NamedTensor, data_bytes, stream_tensors};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Learner, ModelSettings, RunDirectory, TrainError, TrainPlan, TrainState, TrainedModel,
    layout::{EVENTS, PLAN},
    watch::event_log::SavedLog,
};

/// The file of the [`SavedState`].
pub(crate) const STATE: &str = "state.json";
/// The file with the tensors of the optimizer and the moving average.
pub(crate) const OPTIMIZER: &str = "optimizer.safetensors";
/// Prefix of the names of the moving average's tensors.
pub(crate) const EMA: &str = "ema.";
/// The file of the trained parameters by path, where the model's own file has them in another form:
/// converted adapters (PiSSA), or the moving average.
pub(crate) const TRAINED: &str = "trained.safetensors";

/// Files of a checkpoint that do not belong to the model.
pub(crate) const TRAINING_FILES: [&str; 5] = [STATE, OPTIMIZER, TRAINED, PLAN, EVENTS];

/// The content of [`STATE`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SavedState {
    pub train: TrainState,
    /// Number of steps each parameter has taken.
    pub optimizer_steps: BTreeMap<String, u64>,
}

/// The cost of the checkpoints in a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct SavingCost {
    /// Number of checkpoints written.
    pub checkpoints: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Time spent writing them, in parallel with training.
    pub write_seconds: f64,
    /// Time that training waited for them.
    pub stall_seconds: f64,
}

/// The checkpoints of a run, written in the background.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    writer: BackgroundWriter,
    cost: SavingCost,
    adapter: Option<AdapterFile>,
    tokenizer_from: PathBuf,
    /// The text of the plan.
    plan: String,
    events: PathBuf,
    /// The text of `finetune.json`.
    settings: String,
}

impl Checkpoints {
    /// Opens the run's checkpoint directory, which only one process can hold. The best checkpoint is
    /// named by the state that the run resumes from, which has been verified.
    ///
    /// # Errors
    /// Fails if another process holds the directory, or it cannot be read or written.
    pub fn open(
        plan: &TrainPlan,
        run: &RunDirectory,
        adapter: Option<AdapterFile>,
        state: &TrainState,
    ) -> Result<Self, TrainError> {
        let retention = Retention {
            keep_last: plan.saving.save_total_limit,
            byte_budget: plan.saving.save_bytes_limit.map(NonZeroU64::get),
        };
        let mut store = CheckpointStore::open(run.checkpoints(), retention)?;
        if plan.evaluation.load_best_model_at_end {
            store.trust_best(state.best.as_ref().map(|best| best.step))?;
        }
        if store.directory().path_of(state.step).exists() {
            store.tidy(state.step);
        }
        Ok(Self {
            writer: BackgroundWriter::until_error(store)?,
            cost: SavingCost::default(),
            adapter,
            tokenizer_from: run.tokenizer_from().into(),
            plan: plan.to_toml()?,
            events: run.events(),
            settings: run.settings().to_json(),
        })
    }

    pub fn directory(&self) -> &CheckpointDirectory {
        self.writer.directory()
    }

    /// Returns the adapter that is trained, if there is one.
    pub fn adapter(&self) -> Option<&AdapterFile> {
        self.adapter.as_ref()
    }

    /// Saves in the background. The tensors are shared until they are written, not copied; only an
    /// earlier checkpoint that is still being written makes this wait.
    ///
    /// # Errors
    /// Fails if an earlier save failed.
    pub fn save<M: TrainedModel>(
        &mut self,
        learner: &Learner<M>,
        state: &TrainState,
        best: bool,
    ) -> Result<(), TrainError> {
        let started = Instant::now();
        let content = self.content(learner, state)?;
        if let Err(error) = self.writer.submit(state.step, content, best) {
            // The error of the failed save is the more informative one.
            self.poll()?;
            return Err(error.into());
        }
        self.cost.stall_seconds += started.elapsed().as_secs_f64();
        Ok(())
    }

    fn content<M: TrainedModel>(
        &self,
        learner: &Learner<M>,
        state: &TrainState,
    ) -> Result<Content, TrainError> {
        let result = learner.result();
        let (optimizer, ema) = learner.states();
        let saved = SavedState {
            train: state.clone(),
            optimizer_steps: optimizer.steps,
        };
        let json = serde_json::to_vec_pretty(&saved)
            .map_err(|error| TrainError::Internal(format!("cannot write the state: {error}")))?;
        let mut content = Content::new(json!({ "step": state.step }))
            .bytes(STATE, json)
            .bytes(PLAN, self.plan.clone())
            .bytes(CONFIG, result.config_json())
            .bytes(ModelSettings::FILE, self.settings.clone());
        if let Some(log) = SavedLog::among(&state.observers) {
            content = log.copy_into(content, self.events.clone());
        }
        for name in TOKENIZER_FILES {
            let path = self.tokenizer_from.join(name);
            if path.exists() {
                content = content.copy(name, path);
            }
        }
        let weights = result.weights(self.adapter.as_ref())?;
        if let Some((name, config)) = weights.adapter_config {
            content = content.bytes(name, config);
        }
        content = tensors_file(content, weights.name, weights.tensors);
        if self.adapter.is_some() || learner.is_averaged() {
            let trained = trained_tensors(&learner.model);
            content = tensors_file(content, TRAINED, trained.into_iter().map(named).collect());
        }
        let ema = ema.tensors.into_iter();
        let ema = ema.map(|(path, tensor)| (format!("{EMA}{path}"), tensor));
        let tensors = optimizer.tensors.into_iter().chain(ema);
        Ok(tensors_file(
            content,
            OPTIMIZER,
            tensors.map(named).collect(),
        ))
    }

    /// Returns the tensors of a checkpoint: those of the saved model, and those beside it.
    ///
    /// # Errors
    /// Fails if the adapter does not fit the model.
    pub fn tensors<M: TrainedModel>(
        learner: &Learner<M>,
        adapter: Option<&AdapterFile>,
    ) -> Result<[Vec<NamedTensor>; 2], TrainError> {
        let model = learner.result().weights(adapter)?.tensors;
        let (optimizer, ema) = learner.states();
        let trained = match adapter.is_some() || learner.is_averaged() {
            true => trained_tensors(&learner.model),
            false => Vec::new(),
        };
        let others = trained.into_iter().chain(optimizer.tensors);
        Ok([model, others.chain(ema.tensors).map(named).collect()])
    }

    /// Returns the notes of the saves that have ended since the last call.
    ///
    /// # Errors
    /// Fails if a save failed.
    pub fn poll(&mut self) -> Result<Vec<String>, TrainError> {
        notes(self.writer.poll(), &mut self.cost)
    }

    /// Waits for the last save, and returns its notes and the total cost.
    ///
    /// # Errors
    /// Fails if a save failed.
    pub fn finish(mut self) -> Result<(Vec<String>, SavingCost), TrainError> {
        let notes = notes(self.writer.finish(), &mut self.cost)?;
        Ok((notes, self.cost))
    }
}

fn notes(
    saved: Vec<Result<Saved, finetune_checkpoint::CheckpointError>>,
    cost: &mut SavingCost,
) -> Result<Vec<String>, TrainError> {
    let mut notes = Vec::new();
    for saved in saved {
        let saved = saved?;
        cost.checkpoints += 1;
        cost.bytes += saved.bytes;
        cost.write_seconds += saved.seconds;
        notes.extend(saved.notes.iter().map(ToString::to_string));
    }
    Ok(notes)
}

fn tensors_file(content: Content, name: &str, tensors: Vec<NamedTensor>) -> Content {
    let bytes = data_bytes(&tensors);
    content.writer(name, Some(bytes), move |out| stream_tensors(tensors, out))
}

fn named((name, tensor): (String, Tensor<1>)) -> NamedTensor {
    let shape = tensor.shape().dims::<1>().to_vec();
    NamedTensor::vector(name, tensor, shape)
}

/// Returns the parameters that take gradients, by path.
fn trained_tensors<M: Described>(model: &M) -> Vec<(String, Tensor<1>)> {
    let mut tensors = Vec::new();
    visit_parameters(model, &mut |id, parameter| {
        if parameter.is_trained() {
            tensors.push((id.path.clone(), parameter.values()));
        }
    });
    tensors
}
