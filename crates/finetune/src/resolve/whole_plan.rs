//! Resolves options and rows into a complete plan in one pass: first the options, then the model, then
//! the tokenized rows.

use std::path::Path;

use finetune_data::model_max_length;
use finetune_train::{BaseModel, TrainPlan, check_head, layout};

use crate::{
    cli::train_options::TrainOptions,
    error::Failure,
    resolve::{
        auto_strategy::Chosen,
        loaded::{Loaded, load},
        model::{self, Verification},
        plan::{plan, with_data, with_model},
        rows::Rows,
    },
    view::output::say,
};

/// A complete plan with the model and rows that it names.
pub struct WholePlan {
    /// The plan, except for the hash of the weights, which the verification returns.
    pub plan: TrainPlan,
    pub loaded: Loaded,
    /// The verification of the weights, which runs in the background.
    pub verification: Verification,
}

impl WholePlan {
    /// Resolves the plan. Errors of the options alone are reported before the first download.
    ///
    /// # Errors
    /// Fails if options are invalid or do not fit the model or the rows, or if a file cannot be read.
    pub fn resolve(
        options: &TrainOptions,
        rows: &Rows,
        device: String,
        output: &Path,
    ) -> Result<Self, Failure> {
        let mut chosen = Chosen::new(options, rows)?;
        // An error may be about the strategy, which the user did not type.
        let first = plan(chosen.options(), rows, device.clone(), output);
        let mut first = first.inspect_err(|_| chosen.say())?;
        let files = model::of_plan(&first)?;
        let verification = Verification::begin(&files)?;
        let base = BaseModel::open(&files.dir)?;
        if chosen.fit(&base.config) {
            first = plan(chosen.options(), rows, device, output)?;
        }
        chosen.say();
        let options = chosen.options();
        let plan = with_model(first, options, &base.config)?;
        // The head of a run that goes on is in its checkpoint.
        if !layout::has_begun(output) {
            check_head(&plan, &base)?;
        }
        let plan = within_tokenizer(plan, options, model_max_length(&files.dir)?);
        let loaded = load(&plan, rows, files, base)?;
        let mut plan = with_data(plan, options, &loaded)?;
        plan.model.identify_vectors()?;
        plan.model.files = plan.model.hash_files(&loaded.files.dir)?;
        Ok(Self {
            plan,
            loaded,
            verification,
        })
    }
}

/// Limits the length of rows to the tokenizer's maximum, unless the user gave a length.
fn within_tokenizer(
    mut plan: TrainPlan,
    options: &TrainOptions,
    longest: Option<usize>,
) -> TrainPlan {
    match (longest, options.max_length) {
        (Some(longest), None) if longest < plan.data.max_length => {
            plan.data.max_length = longest;
            plan
        }
        (Some(longest), Some(wanted)) if longest < wanted => {
            say!(
                "note: --max-length {wanted} is more than the model_max_length of {longest} in its tokenizer_config.json"
            );
            plan
        }
        _ => plan,
    }
}
