//! From options and rows to a plan with nothing left open, in one pass: what the options say, then the
//! model, then the tokenized rows.

use std::path::Path;

use finetune_data::model_max_length;
use finetune_train::{BaseModel, TrainPlan};

use crate::{
    cli::train_options::TrainOptions,
    error::Failure,
    resolve::{
        loaded::{Loaded, load},
        model::{self, Verification},
        plan::{plan, with_data, with_model},
        rows::Rows,
    },
    view::output::say,
};

/// A plan, and what it names.
pub struct WholePlan {
    /// The plan, but for the hash of the weights, which the verification tells.
    pub plan: TrainPlan,
    pub loaded: Loaded,
    /// That of the weights, which goes on meanwhile.
    pub verification: Verification,
}

impl WholePlan {
    /// Fills in what only the model and the rows tell. Whatever the options alone make wrong is refused
    /// before the first download.
    pub fn resolve(
        options: &TrainOptions,
        rows: &Rows,
        device: String,
        output: &Path,
    ) -> Result<Self, Failure> {
        let plan = plan(options, rows, device, output)?;
        let files = model::of_plan(&plan)?;
        let verification = Verification::begin(&files)?;
        let base = BaseModel::open(&files.dir)?;
        let plan = with_model(plan, options, &base.config)?;
        let plan = within_tokenizer(plan, options, model_max_length(&files.dir)?);
        let loaded = load(&plan, rows, files, base)?;
        let mut plan = with_data(plan, options, &loaded)?;
        plan.model.files = plan.model.hash_files(&loaded.files.dir)?;
        Ok(Self {
            plan,
            loaded,
            verification,
        })
    }
}

/// The plan with rows no longer than the tokenizer's settings want them, unless the user wants them so.
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
