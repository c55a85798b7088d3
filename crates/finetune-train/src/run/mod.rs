//! The parts of a run: directory, manifest, steps, evaluations, checkpoints, results.

pub(crate) mod after_step;
pub(crate) mod best;
pub(crate) mod checkpoints;
pub(crate) mod directory;
pub(crate) mod early_stopping;
pub(crate) mod evaluate;
pub(crate) mod frozen_prefix;
pub(crate) mod inputs;
pub(crate) mod kept_model;
pub(crate) mod lasting;
pub(crate) mod learning;
mod logs;
mod machine;
pub(crate) mod manifest;
pub(crate) mod order;
pub(crate) mod outcome;
pub(crate) mod peak_memory;
pub(crate) mod results;
pub(crate) mod saved_plan;
pub(crate) mod session;
pub(crate) mod start;
pub(crate) mod state;
pub(crate) mod steps;
pub(crate) mod teacher_logits;
mod verified_model;
pub(crate) mod write;
