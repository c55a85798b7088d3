//! The starting point of a session: the base model, or a checkpoint.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use burn::{
    Tensor,
    tensor::{Device, TensorData},
};
use finetune_checkpoint::{Checkpoint, CheckpointDirectory};
use finetune_files::IoContext;
use finetune_models::{
    CONFIG, Described, ModelConfig, ParameterId, ParameterMap, SafetensorsFile, SequenceClassifier,
    map_parameters,
};
use serde_json::Value;

use crate::{
    BaseModel, EmaState, OptimizerState, Prepared, RunDirectory, STATE_VERSION, TrainError,
    TrainPlan, TrainState, TrainedModel,
    plan::changed_keys::changed_keys,
    run::checkpoints::{EMA, OPTIMIZER, STATE, SavedState, TRAINED},
};

/// A model with all state that belongs to a point of its training.
#[derive(Debug)]
pub struct Start<M = SequenceClassifier> {
    /// The model.
    pub prepared: Prepared<M>,
    /// The progress of the run.
    pub state: TrainState,
    /// The optimizer's state.
    pub optimizer: OptimizerState,
    /// The moving average's state.
    pub ema: EmaState,
    /// The checkpoint that was loaded, if any.
    pub checkpoint: Option<PathBuf>,
    /// Why newer checkpoints were skipped.
    pub damaged: Vec<String>,
}

impl<M: TrainedModel> Start<M> {
    /// Returns the start of a new run.
    pub fn fresh(prepared: Prepared<M>) -> Self {
        Self {
            prepared,
            state: TrainState::new(),
            optimizer: OptimizerState::default(),
            ema: EmaState::default(),
            checkpoint: None,
            damaged: Vec::new(),
        }
    }

    /// Loads the newest intact checkpoint of a run, or prepares the base model if there is none.
    ///
    /// # Errors
    /// Fails if a file cannot be read, or if the state does not fit the plan or the base model.
    pub fn newest(
        plan: &TrainPlan,
        run: &RunDirectory,
        base: &BaseModel,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let Some(found) = CheckpointDirectory::new(run.checkpoints()).newest_valid()? else {
            return Ok(Self::fresh(M::prepare(plan, base, device)?));
        };
        let mut start = Self::at(plan, &found.checkpoint, base, device)?;
        let damaged = found.damaged.into_iter();
        start.damaged = damaged.map(|(_, error)| error.to_string()).collect();
        Ok(start)
    }

    fn at(
        plan: &TrainPlan,
        checkpoint: &Checkpoint,
        base: &BaseModel,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let saved = read_state(&checkpoint.file(STATE)?)?;
        // The base of an adapter is unchanged; every other model is stored whole in the checkpoint, with
        // the head that the run began with.
        let mut prepared = match plan.model.strategy.is_adapter() {
            true => M::prepare(plan, base, device)?,
            false => {
                let mut plan = plan.clone();
                plan.model.reset_head = false;
                M::prepare(&plan, &BaseModel::open(checkpoint.path())?, device)?
            }
        };
        // Newer plans hold hashes of the base model's files, which have been checked or accepted
        // already.
        if plan.model.strategy.is_adapter() && plan.model.files.is_empty() {
            check_config(checkpoint, prepared.model.config())?;
        }
        if checkpoint.names().any(|name| name == TRAINED) {
            let trained = read_tensors(&checkpoint.file(TRAINED)?, device)?;
            prepared.model = overlay(prepared.model, trained)?;
        }
        let (mut optimizer, mut ema) = (Vec::new(), Vec::new());
        for (name, tensor) in read_tensors(&checkpoint.file(OPTIMIZER)?, device)? {
            match name.strip_prefix(EMA) {
                Some(path) => ema.push((path.to_string(), tensor)),
                None => optimizer.push((name, tensor)),
            }
        }
        Ok(Self {
            prepared,
            state: saved.train,
            optimizer: OptimizerState {
                tensors: optimizer,
                steps: saved.optimizer_steps,
            },
            ema: EmaState { tensors: ema },
            checkpoint: Some(checkpoint.path().into()),
            damaged: Vec::new(),
        })
    }
}

/// Refuses a base model whose configuration differs from the one in the adapter's checkpoint.
fn check_config(checkpoint: &Checkpoint, now: &ModelConfig) -> Result<(), TrainError> {
    // Keys that say who wrote the file, and from where.
    const INFORMATION: [&str; 2] = ["transformers_version", "_name_or_path"];
    let path = checkpoint.file(CONFIG)?;
    let was = ModelConfig::from_directory(checkpoint.path())?.to_json();
    let parse = |text: &str| {
        let json: Result<BTreeMap<String, Value>, _> = serde_json::from_str(text);
        // This program has just generated both texts.
        json.map_err(|error| TrainError::Internal(format!("{}: {error}", path.display())))
    };
    let (was, now) = (parse(&was)?, parse(&now.to_json())?);
    let text = |value: Option<&Value>| match value {
        Some(value) => value.to_string(),
        None => "not set".into(),
    };
    let changed: Vec<_> = changed_keys(&was, &now)
        .filter(|(key, ..)| !INFORMATION.contains(key))
        .map(|(key, was, now)| format!("  {key}: {} in the run, now {}", text(was), text(now)))
        .collect();
    match changed.is_empty() {
        true => Ok(()),
        false => Err(TrainError::ChangedConfig { changed }),
    }
}

fn read_state(path: &Path) -> Result<SavedState, TrainError> {
    let problem = |problem: String| TrainError::StateFile {
        path: path.into(),
        problem,
    };
    let text = std::fs::read(path).context("read", path)?;
    let json: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| problem(error.to_string()))?;
    let version = json["train"]["version"].as_u64().unwrap_or(0);
    if version > u64::from(STATE_VERSION) {
        return Err(problem(format!(
            "it was written by a newer version (state version {version}, this program reads up to {STATE_VERSION}); update finetune"
        )));
    }
    serde_json::from_value(json).map_err(|error| problem(error.to_string()))
}

fn read_tensors(path: &Path, device: &Device) -> Result<Vec<(String, Tensor<1>)>, TrainError> {
    let mut file = SafetensorsFile::open(path)?;
    let names = file.names();
    let read = |name: String| {
        let values = file.read_f32(&name)?;
        let length = values.len();
        let tensor = Tensor::from_data(TensorData::new(values, [length]), device);
        Ok((name, tensor))
    };
    names.into_iter().map(read).collect()
}

/// Puts trained parameters in their places, and fails if one has no place or another size.
fn overlay<M: Described>(model: M, trained: Vec<(String, Tensor<1>)>) -> Result<M, TrainError> {
    struct Overlay {
        trained: BTreeMap<String, Tensor<1>>,
        wrong: Vec<String>,
    }
    impl ParameterMap for Overlay {
        fn wants(&mut self, id: &ParameterId) -> bool {
            self.trained.contains_key(&id.path)
        }
        fn map(&mut self, id: &ParameterId, shape: &[usize], values: Tensor<1>) -> Tensor<1> {
            match self.trained.remove(&id.path) {
                Some(found) if found.dims() == [shape.iter().product::<usize>()] => found,
                _ => {
                    self.wrong.push(id.path.clone());
                    values
                }
            }
        }
    }
    let mut overlay = Overlay {
        trained: trained.into_iter().collect(),
        wrong: Vec::new(),
    };
    let model = map_parameters(model, &mut overlay);
    let mut wrong = overlay.wrong;
    wrong.extend(overlay.trained.into_keys());
    match wrong.is_empty() {
        true => Ok(model),
        false => Err(TrainError::State {
            what: "model",
            problem: format!("it has no place for {}", wrong.join(", ")),
        }),
    }
}
