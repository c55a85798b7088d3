//! From a plan and the base model's files to the model that is trained.

use std::path::Path;

use burn::tensor::Device;
use finetune_models::{LoadReport, SequenceClassifier};
use finetune_peft::{AdapterFile, PeftConfig, attach, load_adapter, train_adapter, trainable_line};

use crate::{TrainError, TrainPlan, Trainable};

/// Name of the adapter that a run trains.
pub const ADAPTER: &str = "default";

/// A model ready for training: parameters that the strategy leaves alone take no gradients.
#[derive(Debug)]
pub struct Prepared {
    /// The model.
    pub model: SequenceClassifier,
    /// Its adapter's configuration, where the strategy makes one.
    pub adapter: Option<AdapterFile>,
    /// What was not in the base model's files.
    pub report: LoadReport,
    /// Elements that are trained.
    pub trainable: u64,
    /// Elements of the model, with its adapter.
    pub all: u64,
    /// Names of what is trained.
    pub names: Vec<String>,
    /// What a user should know.
    pub notes: Vec<String>,
}

impl Prepared {
    /// The line that peft's `print_trainable_parameters` prints.
    pub fn trainable_line(&self) -> String {
        trainable_line(self.trainable, self.all)
    }
}

/// Loads the base model from `directory` and applies the plan's strategy. A plan with an adapter
/// directory goes on with that adapter.
pub fn prepare(
    plan: &TrainPlan,
    directory: &Path,
    device: &Device,
) -> Result<Prepared, TrainError> {
    let (mut model, report) =
        SequenceClassifier::load(directory, Some(plan.outputs()), plan.seed, device)?;
    model.set_precision(plan.precision);
    let Some(config) = plan.peft_config() else {
        let trainable = Trainable::new(&plan.strategy, model.config())?;
        let mut notes = Vec::new();
        let trained = |name: &String| trainable.parameters.iter().any(|p| p.name == *name);
        if let Some(name) = report.fresh.iter().find(|name| !trained(name)) {
            notes.push(format!(
                "{name} is drawn at random and the strategy does not train it"
            ));
        }
        return Ok(Prepared {
            model: trainable.apply(model),
            adapter: None,
            report,
            trainable: trainable.trainable,
            all: trainable.all,
            names: trainable.parameters.into_iter().map(|p| p.name).collect(),
            notes,
        });
    };
    let (file, adapted) = match plan.adapter.is_empty() {
        false => load_adapter(&mut model, ADAPTER, Path::new(&plan.adapter), device)?,
        true => {
            let config = with_fresh_modules(config, &report.fresh);
            let adapted = attach(&mut model, ADAPTER, &config, plan.seed, device)?;
            let base_model = match std::fs::canonicalize(&plan.model) {
                Ok(path) => path.display().to_string(),
                Err(_) => plan.model.clone(),
            };
            let file = AdapterFile {
                config,
                base_model,
                revision: None,
            };
            (file, adapted)
        }
    };
    let mut names: Vec<_> = adapted
        .adapted
        .iter()
        .map(|module| format!("{} (adapter)", module.name))
        .collect();
    names.extend(adapted.saved.iter().cloned());
    names.extend(adapted.biases.iter().cloned());
    Ok(Prepared {
        model: train_adapter(model, ADAPTER, &adapted),
        adapter: Some(file),
        report,
        trainable: adapted.trainable,
        all: adapted.all,
        names,
        notes: adapted.notes,
    })
}

/// Linear layers that were drawn at random are trained whole and saved with the adapter: nobody else
/// has them. (The classifier always is.)
fn with_fresh_modules(mut config: PeftConfig, fresh: &[String]) -> PeftConfig {
    let saved = match &mut config {
        PeftConfig::Lora(config) => &mut config.modules_to_save,
        PeftConfig::Ia3(config) => &mut config.modules_to_save,
    };
    let modules = fresh.iter().filter_map(|name| name.strip_suffix(".weight"));
    for module in modules.filter(|module| !module.ends_with("classifier")) {
        let saved = saved.get_or_insert_default();
        if !saved.iter().any(|end| module.ends_with(end.as_str())) {
            saved.push(module.into());
        }
    }
    config
}

impl TrainPlan {
    /// The adapter that the strategy trains, if it trains one.
    pub fn peft_config(&self) -> Option<PeftConfig> {
        self.strategy.adapter(self.lora.as_ref(), self.ia3.as_ref())
    }
}
