//! Where a run begins: at the base model, or at a checkpoint.

use std::{collections::BTreeMap, path::Path};

use burn::{
    Tensor,
    module::{Module, ModuleMapper, Param},
    tensor::{Device, TensorData},
};
use finetune_checkpoint::{Checkpoint, CheckpointDirectory};
use finetune_models::{SafetensorsFile, SequenceClassifier};

use crate::{
    EmaState, OptimizerState, Prepared, RunDirectory, STATE_VERSION, TrainError, TrainPlan,
    TrainState,
    checkpoints::{OPTIMIZER, STATE, SavedState, TRAINED},
    prepare,
};

/// A model with all that belongs to a point of its training.
#[derive(Debug)]
pub struct Start {
    /// The model.
    pub prepared: Prepared,
    /// What has been done.
    pub state: TrainState,
    /// The optimizer's state.
    pub optimizer: OptimizerState,
    /// The moving average's state.
    pub ema: EmaState,
    /// Newer checkpoints that were passed over, and why.
    pub damaged: Vec<String>,
}

impl Start {
    /// The beginning of a run.
    pub fn fresh(prepared: Prepared) -> Self {
        Self {
            prepared,
            state: TrainState::new(),
            optimizer: OptimizerState::default(),
            ema: EmaState::default(),
            damaged: Vec::new(),
        }
    }

    /// The newest whole checkpoint of a run, or its beginning if it has none. `base` is the
    /// directory of the base model.
    pub fn newest(
        plan: &TrainPlan,
        run: &RunDirectory,
        base: &Path,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let Some(found) = CheckpointDirectory::new(run.checkpoints()).newest_valid()? else {
            return Ok(Self::fresh(prepare(plan, base, device)?));
        };
        let mut start = Self::at(plan, &found.checkpoint, base, device)?;
        let damaged = found.damaged.into_iter();
        start.damaged = damaged.map(|(_, error)| error.to_string()).collect();
        Ok(start)
    }

    fn at(
        plan: &TrainPlan,
        checkpoint: &Checkpoint,
        base: &Path,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let saved = read_state(&checkpoint.file(STATE)?)?;
        // An adapter's base stays as it is; everything else is in the checkpoint's own model.
        let mut prepared = match plan.strategy.is_adapter() {
            true => prepare(plan, base, device)?,
            false => prepare(plan, checkpoint.path(), device)?,
        };
        if checkpoint.names().any(|name| name == TRAINED) {
            let trained = read_tensors(&checkpoint.file(TRAINED)?, device)?;
            prepared.model = overlay(prepared.model, trained)?;
        }
        let (ema, optimizer) = read_tensors(&checkpoint.file(OPTIMIZER)?, device)?
            .into_iter()
            .partition(|(name, _)| name.starts_with(EmaState::PREFIX));
        Ok(Self {
            prepared,
            state: saved.train,
            optimizer: OptimizerState {
                tensors: optimizer,
                steps: saved.optimizer_steps,
            },
            ema: EmaState {
                tensors: ema,
                updates: saved.ema_updates,
            },
            damaged: Vec::new(),
        })
    }
}

fn read_state(path: &Path) -> Result<SavedState, TrainError> {
    let problem = |problem: String| {
        TrainError::Plan(format!("cannot go on from {}: {problem}", path.display()))
    };
    let text = std::fs::read(path).map_err(|error| problem(error.to_string()))?;
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
    let read = |name: String| {
        let values = file.read_f32(&name)?;
        let length = values.len();
        let tensor = Tensor::from_data(TensorData::new(values, [length]), device);
        Ok((name, tensor))
    };
    file.names().into_iter().map(read).collect()
}

/// Puts trained parameters in their places. What has no place, or another size, is an error.
fn overlay(
    model: SequenceClassifier,
    trained: Vec<(String, Tensor<1>)>,
) -> Result<SequenceClassifier, TrainError> {
    struct Overlay {
        path: Vec<String>,
        trained: BTreeMap<String, Tensor<1>>,
        wrong: Vec<String>,
    }
    impl ModuleMapper for Overlay {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.into());
        }
        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let path = self.path.join(".");
            let Some(values) = self.trained.remove(&path) else {
                return param;
            };
            let (id, tensor, mapper) = param.consume();
            let shape = tensor.shape();
            if shape.num_elements() != values.shape().num_elements() {
                self.wrong.push(path);
                return Param::from_mapped_value(id, tensor, mapper);
            }
            let required = tensor.is_require_grad();
            let tensor = values.reshape(shape).set_require_grad(required);
            Param::from_mapped_value(id, tensor, mapper)
        }
    }
    let mut overlay = Overlay {
        path: Vec::new(),
        trained: trained.into_iter().collect(),
        wrong: Vec::new(),
    };
    let model = model.map(&mut overlay);
    let mut wrong = overlay.wrong;
    wrong.extend(overlay.trained.into_keys());
    match wrong.is_empty() {
        true => Ok(model),
        false => Err(TrainError::Plan(format!(
            "the checkpoint does not fit the plan's model: {}",
            wrong.join(", ")
        ))),
    }
}
