//! The commands, one file or directory each, and the code that they share.

pub(crate) mod adapt;
pub(crate) mod check;
pub(crate) mod compare;
pub(crate) mod devices;
pub(crate) mod directory_size;
pub(crate) mod evaluate;
pub(crate) mod execute;
pub(crate) mod explain;
pub(crate) mod fill_mask;
pub(crate) mod find_batch_size;
pub(crate) mod inspect;
pub(crate) mod memory;
pub(crate) mod memory_estimate;
pub(crate) mod merge;
pub(crate) mod plan;
pub(crate) mod predict;
pub(crate) mod program;
pub(crate) mod question;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod resume;
pub(crate) mod runs;
pub(crate) mod supervise;
pub(crate) mod sweep;
pub(crate) mod tokenizer;
pub(crate) mod train;
