//! The model that is trained: its base, its head, and its trainable parameters.

pub(crate) mod base_files;
pub(crate) mod base_model;
pub(crate) mod common_names;
pub(crate) mod head;
pub(crate) mod initial;
mod masked_model;
pub(crate) mod prepare;
pub(crate) mod settings;
pub(crate) mod teacher;
pub(crate) mod trainable;
pub(crate) mod trained_model;
pub(crate) mod unfreezing;
pub(crate) mod word_table;
