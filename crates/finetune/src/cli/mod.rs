//! The command line: arguments, options and signals.

pub(crate) mod args;
pub(crate) mod batch_size;
pub(crate) mod check_args;
pub(crate) mod default_texts;
pub(crate) mod explain_args;
pub(crate) mod fill_mask_args;
pub(crate) mod interrupt;
pub(crate) mod panics;
pub(crate) mod pause_args;
pub(crate) mod pretrain_options;
pub(crate) mod python_names;
pub(crate) mod report_args;
pub(crate) mod settings;
pub(crate) mod sweep_args;
pub(crate) mod tokenizer_args;
pub(crate) mod train_options;
