//! The plans of other strategies, with which that of a run is compared.

use finetune_train::{Strategy, TrainPlan};

use crate::{
    cli::train_options::TrainOptions,
    commands::inspect,
    error::Failure,
    resolve::{
        loaded::Loaded,
        plan::{plan, with_data, with_model},
        rows::Rows,
    },
};

/// The value of `--compare` that stands for no strategy.
const NONE: &str = "none";

/// Reads the names given to `--compare`; `None` stands for the common strategies.
///
/// # Errors
/// Fails if a name is no strategy.
pub fn strategies(names: &[String]) -> Result<Option<Vec<Strategy>>, Failure> {
    let parsed = |name: &String| {
        let strategy = name.parse();
        strategy.map_err(|problem| Failure::User(format!("--compare: {problem}")))
    };
    Ok(match names {
        [] => None,
        [none] if none == NONE => Some(Vec::new()),
        names => Some(names.iter().map(parsed).collect::<Result<_, _>>()?),
    })
}

/// Strategies with their plans, or with the reason why there is none.
pub type Plans = Vec<(String, Result<TrainPlan, String>)>;

/// Returns the plans of `strategies`, or of the common ones, as the same options give them, except for the
/// strategy of the run. A strategy that the options do not fit has the reason instead.
pub fn compared(
    of_run: &TrainPlan,
    options: &TrainOptions,
    rows: &Rows,
    loaded: &Loaded,
    strategies: Option<Vec<Strategy>>,
) -> Plans {
    // An adapter goes on with its own strategy.
    let common = match options.adapter {
        None => &inspect::SHOWN[..],
        Some(_) => &[],
    };
    let common = || common.iter().filter_map(|name| name.parse().ok()).collect();
    let strategies = strategies.unwrap_or_else(common);
    let others = strategies
        .into_iter()
        .filter(|strategy| *strategy != of_run.model.strategy);
    others
        .map(|strategy| {
            let other = with_strategy(&strategy, of_run, options, rows, loaded);
            (
                strategy.to_string(),
                other.map_err(|failure| text(&failure)),
            )
        })
        .collect()
}

/// Returns the plan that the same options give with another strategy.
fn with_strategy(
    strategy: &Strategy,
    of_run: &TrainPlan,
    options: &TrainOptions,
    rows: &Rows,
    loaded: &Loaded,
) -> Result<TrainPlan, Failure> {
    let mut options = options.clone();
    options.strategy = Some(strategy.to_string());
    // Settings of adapters are those of one strategy.
    if *strategy != Strategy::Lora {
        options.lora = None;
    }
    if *strategy != Strategy::Ia3 {
        options.ia3 = None;
    }
    let device = of_run.model.device.clone();
    let output = std::path::Path::new(&of_run.saving.output);
    let mut other = plan(&options, rows, device, output)?;
    other = with_model(other, &options, &loaded.base.config)?;
    other.data.max_length = of_run.data.max_length;
    other = with_data(other, &options, loaded)?;
    other.model.sha256.clone_from(&of_run.model.sha256);
    other.model.files.clone_from(&of_run.model.files);
    if of_run.optimization.auto_find_batch_size {
        other.optimization.batch = of_run.optimization.batch;
        other.optimization.gradient_accumulation_steps =
            of_run.optimization.gradient_accumulation_steps;
    }
    let is_chosen = options.epochs.is_some() || options.max_steps.is_some();
    // Pairs are passed over less often; all others take the epochs of the run, which `auto` may have chosen.
    let pairs = |plan: &TrainPlan| plan.model.strategy == Strategy::Contrastive;
    if !is_chosen && pairs(&other) == pairs(of_run) {
        other.optimization.length = of_run.optimization.length;
    }
    other.make_paths_absolute();
    Ok(other)
}

/// Returns the message of a failure without what introduces it.
fn text(failure: &Failure) -> String {
    let text = failure.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    format!("not with these options: {text}")
}
