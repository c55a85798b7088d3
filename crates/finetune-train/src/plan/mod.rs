//! Every setting of a run, resolved and checked.

pub(crate) mod changed_keys;
pub(crate) mod check;
pub(crate) mod difference;
pub(crate) mod interval;
pub(crate) mod metric_check;
pub(crate) mod report_to;
pub(crate) mod saved;
pub(crate) mod train_plan;
