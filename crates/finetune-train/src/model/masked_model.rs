//! The masked language model as a model that a run trains.

use std::path::Path;

use burn::tensor::Device;
use finetune_models::{
    MaskedLm, ModelConfig, Parameter, SavedModel, WEIGHTS, masked_lm_parameters,
};
use finetune_peft::AdapterFile;

use crate::{
    BaseModel, ModelWeights, Prepared, TrainError, TrainPlan, Trainable, TrainedModel,
    model::word_table::{frozen_note, with_word_vectors},
};

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
        let (model, mut report) = Self::load_with(config.clone(), directory, plan.seed, device)?;
        let mut notes = Vec::new();
        let mut model = with_word_vectors(model, plan, base, device, &mut report, &mut notes)?;
        model.set_precision(plan.model.precision);
        let parameters = masked_lm_parameters(config);
        let trainable = Trainable::among(parameters, &plan.model.strategy, config)?;
        let trainable = trainable.but_frozen(&plan.model)?;
        notes.extend(frozen_note(&plan.model, config));
        Ok(Prepared::whole(model, trainable, report, notes))
    }

    fn load_kept(
        plan: &TrainPlan,
        _base: &Path,
        kept: &Path,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let (mut model, _) = Self::load(kept, plan.seed, device)?;
        model.set_precision(plan.model.precision);
        Ok(model)
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
