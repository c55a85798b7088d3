//! Prepares the model to be trained from a plan and the base model's files.

use std::path::Path;

use burn::tensor::Device;
use finetune_infer::{AdapterOutputs, not_saved};
use finetune_models::{Described, LoadReport, ModelConfig, SequenceClassifier, modules};
use finetune_peft::{
    AdapterFile, AdapterPlan, PeftConfig, attach, is_head, is_part_of, load_adapter, train_adapter,
    trainable_line,
};

use crate::{
    ADAPTER, BaseModel, ModelPlan, Strategy, TrainError, TrainPlan, Trainable,
    model::{
        head::Head,
        word_table::{frozen_note, with_word_vectors},
    },
};

/// A model ready for training. Parameters that the strategy does not train take no gradients.
#[derive(Debug)]
pub struct Prepared<M = SequenceClassifier> {
    /// The model.
    pub model: M,
    /// The configuration of its adapter, if the strategy trains one.
    pub adapter: Option<AdapterFile>,
    /// Reports what the base model's files lacked.
    pub report: LoadReport,
    /// Number of trained elements.
    pub trainable: u64,
    /// Number of elements of the model, including its adapter.
    pub all: u64,
    /// Names of the trained parameters and modules.
    pub names: Vec<String>,
    /// Messages for the user.
    pub notes: Vec<String>,
}

impl<M> Prepared<M> {
    /// Returns the line that peft's `print_trainable_parameters` prints.
    pub fn trainable_line(&self) -> String {
        trainable_line(self.trainable, self.all)
    }
}

impl<M: Described> Prepared<M> {
    /// Makes a model train these parameters, and adds a note if something random is not among them.
    pub(crate) fn whole(
        model: M,
        trainable: Trainable,
        report: LoadReport,
        mut notes: Vec<String>,
    ) -> Self {
        let trained = |name: &String| trainable.parameters.iter().any(|p| p.name == *name);
        if let Some(name) = report.fresh.iter().find(|name| !trained(name)) {
            notes.push(format!(
                "{name} is initialized at random, and the strategy does not train it"
            ));
        }
        Self {
            model: trainable.apply(model),
            adapter: None,
            report,
            trainable: trainable.trainable,
            all: trainable.all,
            names: trainable.parameters.into_iter().map(|p| p.name).collect(),
            notes,
        }
    }
}

/// Loads the weights of the base model and applies the plan's strategy. If the plan names an adapter
/// directory, that adapter is trained further. If it names word vectors, they replace the word table. A
/// head that predicts the plan's labels is kept unless the plan resets it, with its outputs reordered to
/// match; notes report differing names, and why a head was reinitialized.
///
/// # Errors
/// Fails if a file cannot be read, or if the strategy or the adapter does not fit the model.
pub fn prepare(
    plan: &TrainPlan,
    base: &BaseModel,
    device: &Device,
) -> Result<Prepared, TrainError> {
    if let Some(adapter) = &plan.model.adapter {
        return continue_adapter(plan, Path::new(adapter), base, device);
    }
    let mut notes = Vec::new();
    let (model, mut report) = load_base(plan, base, device, &mut notes)?;
    let mut model = with_word_vectors(model, plan, base, device, &mut report, &mut notes)?;
    model.set_precision(plan.model.precision);
    let Some(config) = plan.model.peft_config() else {
        let trainable = Trainable::new(&plan.model.strategy, model.config())?;
        let trainable = trainable.but_frozen(&plan.model)?;
        notes.extend(frozen_note(&plan.model, model.config()));
        return Ok(Prepared::whole(model, trainable, report, notes));
    };
    let config = with_fresh_modules(config, &report.fresh);
    let adapted = attach(&mut model, ADAPTER, &config, plan.seed, device)?;
    Ok(with_adapter(
        plan, base, model, config, adapted, report, notes,
    ))
}

/// Loads the base model with a head for the plan's labels: the model's head if it predicts them.
fn load_base(
    plan: &TrainPlan,
    base: &BaseModel,
    device: &Device,
    notes: &mut Vec<String>,
) -> Result<(SequenceClassifier, LoadReport), TrainError> {
    let wanted = plan.outputs();
    let BaseModel { directory, config } = base;
    let load = |outputs| {
        SequenceClassifier::load_with(config.clone(), directory, outputs, plan.seed, device)
    };
    if plan.model.strategy == Strategy::Contrastive {
        let config = config.clone();
        return Ok(SequenceClassifier::load_mean_pooled(
            config, directory, wanted, plan.seed, device,
        )?);
    }
    let own = &config.outputs;
    if plan.model.reset_head {
        let (mut model, mut report) = load(Some(wanted.clone()))?;
        if !report.fresh_classifier {
            report.fresh.extend(classifier_weights(model.config()));
            model = model.with_new_classifier(wanted, plan.seed, device);
        }
        return Ok((model, report));
    }
    match Head::choose(own, &wanted, plan.data.labels_by_position) {
        Head::Kept { .. } if *own == wanted => Ok(load(Some(wanted))?),
        Head::Kept { order, note } => {
            let (model, report) = load(None)?;
            // If the file had no head, there was nothing to keep.
            let note = note.filter(|_| !report.fresh_classifier);
            notes.extend(note.map(|note| format!("the model's head is kept: {note}")));
            Ok((model.with_order(wanted, &order), report))
        }
        Head::Fresh { why } => {
            let (model, report) = load(Some(wanted))?;
            if !report.replaced.is_empty() {
                notes.push(format!("the model's head is reinitialized: {why}"));
            }
            Ok((model, report))
        }
    }
}

/// Loads the base model with the adapter to train further, and the adapter's head if it predicts the
/// plan's labels.
fn continue_adapter(
    plan: &TrainPlan,
    adapter: &Path,
    base: &BaseModel,
    device: &Device,
) -> Result<Prepared, TrainError> {
    let wanted = plan.outputs();
    let BaseModel { directory, config } = base;
    let own = AdapterOutputs::read(adapter, config)?;
    let for_head = Some(own.outputs.clone()).filter(|_| own.own_head);
    let (mut model, mut report) =
        SequenceClassifier::load_with(config.clone(), directory, for_head, plan.seed, device)?;
    model.name_outputs(own.outputs.clone())?;
    model.set_precision(plan.model.precision);
    let (file, mut adapted) = load_adapter(&mut model, ADAPTER, adapter, device)?;
    file.config.check_trainable()?;
    let random = not_saved(&report.fresh, &adapted);
    if !random.is_empty() {
        return Err(TrainError::RandomWeights {
            base: directory.into(),
            adapter: adapter.into(),
            missing: random,
        });
    }
    // Weights initialized for the base have been replaced by the adapter's.
    report.fresh.clear();
    let mut notes = Vec::new();
    let head = match plan.model.reset_head {
        true => Head::Fresh {
            why: "as reset_head says".into(),
        },
        false => Head::choose(&own.outputs, &wanted, plan.data.labels_by_position),
    };
    match head {
        Head::Kept { .. } if own.outputs == wanted => {}
        Head::Kept { order, note } => {
            notes.extend(note.map(|note| format!("the model's head is kept: {note}")));
            model = model.with_order(wanted, &order);
        }
        Head::Fresh { why } => {
            let module = model.config().classifier_name();
            if !adapted.saved.contains(&module) {
                return Err(TrainError::NoHead {
                    adapter: adapter.into(),
                    why,
                });
            }
            report.fresh = classifier_weights(model.config()).into();
            if !plan.model.reset_head {
                notes.push(format!("the adapter's head is reinitialized: {why}"));
            }
            model = model.with_new_classifier(wanted, plan.seed, device);
            let config = model.config();
            adapted = file
                .config
                .plan(config.family.model_type, &modules(config))?;
        }
    }
    Ok(with_adapter(
        plan,
        base,
        model,
        file.config,
        adapted,
        report,
        notes,
    ))
}

/// Returns the names of the classifier's weights in files.
fn classifier_weights(config: &ModelConfig) -> [String; 2] {
    let module = config.classifier_name();
    ["weight", "bias"].map(|leaf| format!("{module}.{leaf}"))
}

/// Wraps up a model with its adapter, whose trained parts are `adapted`.
fn with_adapter(
    plan: &TrainPlan,
    base: &BaseModel,
    model: SequenceClassifier,
    config: PeftConfig,
    adapted: AdapterPlan,
    report: LoadReport,
    mut notes: Vec<String>,
) -> Prepared {
    // A plan that names no model has the one that is here.
    let is_made_here = plan.model.scratch.is_some() || plan.has_layers_of_teacher();
    let name = match plan.model.name.is_empty() || is_made_here {
        true => base.directory.clone(),
        false => plan.model.name.clone().into(),
    };
    let base_model = std::fs::canonicalize(&name).unwrap_or(name);
    let base_model = base_model.display().to_string();
    let file = AdapterFile {
        config,
        base_model,
        revision: plan.model.revision.clone(),
    };
    let mut names: Vec<_> = adapted
        .adapted
        .iter()
        .map(|module| format!("{} (adapter)", module.name))
        .collect();
    names.extend(adapted.saved.iter().cloned());
    names.extend(adapted.biases.iter().cloned());
    notes.extend(adapted.notes.iter().cloned());
    Prepared {
        model: train_adapter(model, ADAPTER, &adapted),
        adapter: Some(file),
        report,
        trainable: adapted.trainable,
        all: adapted.all,
        names,
        notes,
    }
}

/// Adds randomly initialized linear layers to `modules_to_save`: they are trained whole and saved with
/// the adapter, since no other file has them. Those of the head always are.
fn with_fresh_modules(mut config: PeftConfig, fresh: &[String]) -> PeftConfig {
    let saved = match &mut config {
        PeftConfig::Lora(config) => &mut config.modules_to_save,
        PeftConfig::Ia3(config) => &mut config.modules_to_save,
    };
    let modules = fresh.iter().filter_map(|name| name.strip_suffix(".weight"));
    for module in modules.filter(|module| !is_head(module)) {
        let saved = saved.get_or_insert_default();
        if !saved.iter().any(|end| is_part_of(module, end)) {
            saved.push(module.into());
        }
    }
    config
}

impl ModelPlan {
    /// Returns the configuration of the adapter that the strategy trains, if it trains one.
    pub fn peft_config(&self) -> Option<PeftConfig> {
        self.strategy.adapter(self.lora.as_ref(), self.ia3.as_ref())
    }
}
