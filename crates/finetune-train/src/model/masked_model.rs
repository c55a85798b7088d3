//! The masked language model as a model that a run trains.

use std::path::Path;

use burn::tensor::Device;
use finetune_models::{
    MaskedLm, ModelConfig, Parameter, SavedModel, WEIGHTS, masked_lm_parameters,
};
use finetune_peft::AdapterFile;

use crate::{BaseModel, ModelWeights, Prepared, TrainError, TrainPlan, Trainable, TrainedModel};

impl TrainedModel for MaskedLm {
    fn parameters_of(config: &ModelConfig) -> Vec<Parameter> {
        masked_lm_parameters(config)
    }

    fn prepare(
        plan: &TrainPlan,
        base: &BaseModel,
        device: &Device,
    ) -> Result<Prepared<Self>, TrainError> {
        let BaseModel { directory, config } = base;
        let (mut model, report) = Self::load_with(config.clone(), directory, plan.seed, device)?;
        model.set_precision(plan.model.precision);
        let parameters = masked_lm_parameters(config);
        let trainable = Trainable::among(parameters, &plan.model.strategy, config)?;
        Ok(Prepared::whole(model, trainable, report, Vec::new()))
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

    /// There are no adapters: plans with one are refused.
    fn weights(&self, _adapter: Option<&AdapterFile>) -> Result<ModelWeights, TrainError> {
        Ok(ModelWeights::whole(self.file_tensors()))
    }

    fn write(
        &self,
        _adapter: Option<&AdapterFile>,
        directory: &Path,
        tokenizer_from: &Path,
    ) -> Result<(), TrainError> {
        self.save_weights(&directory.join(WEIGHTS))?;
        Ok(self.save_settings(directory, tokenizer_from)?)
    }
}
