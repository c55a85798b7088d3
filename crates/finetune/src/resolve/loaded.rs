//! Loads the rows and files that a plan names.

use std::time::Instant;

use burn::tensor::Device;
use finetune_hub::FoundModel;
use finetune_train::{BaseModel, TrainData, TrainPlan, device, load_tokenizer};

use crate::{
    error::Failure,
    resolve::{data::describe, model, rows::Rows},
    view::output::say,
};

/// The rows and files that a plan names.
pub struct Loaded {
    pub device: Device,
    pub files: FoundModel,
    pub base: BaseModel,
    pub data: TrainData,
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
    let tokenizer = load_tokenizer(&base.directory, &base.config)?;
    for note in tokenizer.notes() {
        say!("note: {note}");
    }
    if plan.pretraining.is_some() {
        let checked = tokenizer.masking_vocabulary().map_err(Failure::from);
        checked
            .map_err(|error| error.with_message(|problem| format!("{}: {problem}", files.name)))?;
    }
    let data = rows.tokenize(plan.data.max_length, &tokenizer)?;
    let description = format!(
        "model   {} ({})\ndata    {}: {}\n        train {}",
        files.name,
        model::describe(files.source),
        rows.dataset,
        rows.describe_labels(),
        describe(&data.train)
    );
    Ok(Loaded {
        device,
        files,
        base,
        data,
        description,
        began,
        data_seconds: began.elapsed().as_secs_f64(),
    })
}
