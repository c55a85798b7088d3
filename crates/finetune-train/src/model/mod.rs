//! The model that is trained: whose weights, which head, what takes gradients.

pub(crate) mod base_files;
pub(crate) mod base_model;
pub(crate) mod head;
pub(crate) mod prepare;
pub(crate) mod settings;
pub(crate) mod trainable;
pub(crate) mod unfreezing;
