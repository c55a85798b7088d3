//! Resolves the options into rows, models and plans.

pub(crate) mod auto_strategy;
pub(crate) mod class_checks;
pub(crate) mod data;
pub(crate) mod dataset;
pub(crate) mod device;
pub(crate) mod distillation;
pub(crate) mod download;
pub(crate) mod draw;
pub(crate) mod intervals;
pub(crate) mod kept;
pub(crate) mod label_reading;
pub(crate) mod loaded;
pub(crate) mod model;
pub(crate) mod paths;
pub(crate) mod plan;
pub(crate) mod pretraining;
pub(crate) mod rows;
pub(crate) mod run_model;
pub(crate) mod scratch;
pub(crate) mod special_files;
pub(crate) mod unlabelled;
pub(crate) mod whole_plan;
pub(crate) mod whole_splits;
pub(crate) mod without_effect;
