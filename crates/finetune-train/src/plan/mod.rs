//! Every setting of a run, resolved and checked: the parts of [`TrainPlan`](train_plan::TrainPlan),
//! their format in `plan.toml`, and what may change when a run is resumed.

pub(crate) mod adaptation;
pub(crate) mod changed_keys;
pub(crate) mod check;
pub(crate) mod comparison;
pub(crate) mod contrastive;
pub(crate) mod data;
pub(crate) mod distillation;
pub(crate) mod evaluation;
pub(crate) mod feature_limits;
pub(crate) mod file;
pub(crate) mod interval;
pub(crate) mod metric_check;
pub(crate) mod model;
pub(crate) mod one_cycle;
pub(crate) mod optimization;
pub(crate) mod optimizer;
mod paths;
pub(crate) mod pretraining;
pub(crate) mod report_to;
pub(crate) mod run_length;
pub(crate) mod saving;
pub(crate) mod schedule;
pub(crate) mod stored;
pub(crate) mod strategy;
pub(crate) mod train_plan;
pub(crate) mod warmup;
