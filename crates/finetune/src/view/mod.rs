//! The program's output: messages, progress, tables and reports.

pub(crate) mod aligned;
pub(crate) mod check;
pub(crate) mod comparison;
pub(crate) mod comparison_table;
pub(crate) mod explanation;
pub(crate) mod next;
pub(crate) mod output;
pub(crate) mod plot;
pub(crate) mod predictions;
pub(crate) mod progress;
pub(crate) mod report;
pub(crate) mod run_comparison;
pub(crate) mod run_time;
pub(crate) mod shell;
pub(crate) mod summary;
pub(crate) mod sweep_table;
pub(crate) mod terminal;
