//! Loads the rows and files that a plan names.

use std::time::Instant;

use burn::tensor::Device;
use finetune_hub::FoundModel;
use finetune_train::{
    BaseModel, TeacherInputs, TrainData, TrainPlan, check_precision, device, load_tokenizer,
};

use crate::{
    error::Failure,
    resolve::{data::describe, distillation, model, rows::Rows},
    view::output::say,
};

/// The rows and files that a plan names.
pub struct Loaded {
    pub device: Device,
    pub files: FoundModel,
    pub base: BaseModel,
    pub data: TrainData,
    /// The texts to adapt the base model to, if it is to be adapted first.
    pub adaptation: Option<TrainData>,
    /// The teacher, if there is one.
    pub teacher: Option<TeacherInputs>,
    /// Model and rows in words.
    pub description: String,
    /// When loading began.
    pub began: Instant,
    /// Seconds that loading the rows took.
    pub data_seconds: f64,
}

/// Tokenizes the rows.
///
/// # Errors
/// Fails if the device cannot be used, or if the rows cannot be read or tokenized.
pub fn load(
    plan: &TrainPlan,
    rows: &Rows,
    files: FoundModel,
    base: BaseModel,
) -> Result<Loaded, Failure> {
    let began = Instant::now();
    let device = device(&plan.model.device)?;
    check_precision(plan.model.precision, &plan.model.device)?;
    let tokenizer = load_tokenizer(&base.directory, &base.config)?;
    for note in tokenizer.notes() {
        say!("note: {note}");
    }
    let vocabulary = match plan.pretraining.is_some() || plan.adaptation.is_some() {
        true => {
            let vocabulary = tokenizer.masking_vocabulary().map_err(Failure::from);
            let named = |problem| format!("{}: {problem}", files.name);
            Some(vocabulary.map_err(|error| error.with_message(named))?)
        }
        false => None,
    };
    let data = rows.tokenize(plan.data.max_length, &tokenizer)?;
    let adaptation = plan.adaptation.as_ref();
    let adaptation = adaptation
        .map(|adaptation| rows.adaptation(adaptation, plan.data.max_length, &tokenizer))
        .transpose()?;
    let pretrained_on = [
        Some(&data).filter(|_| plan.pretraining.is_some()),
        adaptation.as_ref(),
    ];
    for texts in pretrained_on.into_iter().flatten() {
        if let Some(vocabulary) = &vocabulary {
            texts.check_maskable(vocabulary)?;
        }
    }
    let teacher = distillation::inputs(plan, rows, &base.config, &tokenizer)?;
    let description = format!(
        "model   {}\n{}data    {}: {}\n        train {}",
        model::described(plan, &files, &base.config),
        distillation::described(plan, teacher.as_ref()),
        rows.dataset,
        rows.describe_labels(),
        describe(&data.train)
    );
    Ok(Loaded {
        device,
        files,
        base,
        data,
        adaptation,
        teacher,
        description,
        began,
        data_seconds: began.elapsed().as_secs_f64(),
    })
}
