//! What the engine needs of a model besides its parameters: how it is loaded and saved.

use std::path::Path;

use burn::tensor::Device;
use finetune_models::{
    ModelConfig, Parameter, SavedModel, SequenceClassifier, WEIGHTS, parameters,
};
use finetune_peft::{
    ADAPTER_CONFIG, ADAPTER_WEIGHTS, AdapterFile, NamedTensor, adapter_config, adapter_tensors,
    save_adapter,
};

use crate::{ADAPTER, BaseModel, Classifier, Prepared, TrainError, TrainPlan, prepare};

/// A model that a run trains.
pub trait TrainedModel: SavedModel + Sync {
    /// Lists the parameters of the model that `config` describes.
    fn parameters_of(config: &ModelConfig) -> Vec<Parameter>;

    /// Loads the base model, and applies the plan's strategy.
    ///
    /// # Errors
    /// Fails if a file cannot be read, or if the strategy does not fit the model.
    fn prepare(
        plan: &TrainPlan,
        base: &BaseModel,
        device: &Device,
    ) -> Result<Prepared<Self>, TrainError>;

    /// Loads the model that a run of this plan on the base model in `base` has kept in the directory `kept`,
    /// to evaluate it.
    ///
    /// # Errors
    /// Fails if a file is missing or damaged.
    fn load_kept(
        plan: &TrainPlan,
        base: &Path,
        kept: &Path,
        device: &Device,
    ) -> Result<Self, TrainError>;

    /// Returns the model's configuration.
    fn config(&self) -> &ModelConfig;

    /// Returns the device that holds the model.
    fn device(&self) -> Device;

    /// Caches frozen weights in the processor's packed layout, where that saves time in training.
    fn pack_frozen(&mut self);

    /// Returns the weights as files have them: the whole model, or `adapter`.
    ///
    /// # Errors
    /// Fails if the adapter does not fit the model.
    fn weights(&self, adapter: Option<&AdapterFile>) -> Result<ModelWeights, TrainError>;

    /// Writes the model, or `adapter`, with its configuration and the tokenizer's files of
    /// `tokenizer_from` to an existing directory, which
    /// [`publish_directory`](finetune_files::publish_directory) publishes.
    ///
    /// # Errors
    /// Fails if a file cannot be written.
    fn write(
        &self,
        adapter: Option<&AdapterFile>,
        directory: &Path,
        tokenizer_from: &Path,
    ) -> Result<(), TrainError>;
}

/// The weights of a model, ready to be written.
#[derive(Debug)]
pub struct ModelWeights {
    /// Name and text of an adapter's configuration.
    pub adapter_config: Option<(&'static str, String)>,
    /// Name of the file.
    pub name: &'static str,
    /// Its tensors.
    pub tensors: Vec<NamedTensor>,
}

impl ModelWeights {
    /// Returns the weights of a whole model.
    pub(crate) fn whole(tensors: Vec<NamedTensor>) -> Self {
        Self {
            adapter_config: None,
            name: WEIGHTS,
            tensors,
        }
    }
}

impl TrainedModel for SequenceClassifier {
    fn parameters_of(config: &ModelConfig) -> Vec<Parameter> {
        parameters(config)
    }

    fn prepare(
        plan: &TrainPlan,
        base: &BaseModel,
        device: &Device,
    ) -> Result<Prepared, TrainError> {
        prepare(plan, base, device)
    }

    fn load_kept(
        plan: &TrainPlan,
        base: &Path,
        kept: &Path,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let mut kept = match plan.model.strategy.is_adapter() {
            true => Classifier::load_adapter(base, kept, device)?,
            false => Classifier::load_on(kept, device)?,
        };
        kept.set_precision(plan.model.precision);
        Ok(kept.model().clone())
    }

    fn config(&self) -> &ModelConfig {
        self.config()
    }

    fn device(&self) -> Device {
        self.device()
    }

    fn pack_frozen(&mut self) {
        self.pack_frozen(false);
    }

    fn weights(&self, adapter: Option<&AdapterFile>) -> Result<ModelWeights, TrainError> {
        let Some(adapter) = adapter else {
            return Ok(ModelWeights::whole(self.file_tensors()));
        };
        Ok(ModelWeights {
            adapter_config: Some((ADAPTER_CONFIG, adapter_config(adapter, self)?)),
            name: ADAPTER_WEIGHTS,
            tensors: adapter_tensors(self, ADAPTER, &adapter.config)?,
        })
    }

    fn write(
        &self,
        adapter: Option<&AdapterFile>,
        directory: &Path,
        tokenizer_from: &Path,
    ) -> Result<(), TrainError> {
        match adapter {
            None => self.save_weights(&directory.join(WEIGHTS))?,
            Some(adapter) => save_adapter(self, ADAPTER, adapter, directory)?,
        }
        Ok(self.save_settings(directory, tokenizer_from)?)
    }
}
