//! Turns texts into tokens, which are cached on disk.

pub(crate) mod byte_level_bpe;
pub(crate) mod cache;
pub(crate) mod caught;
pub(crate) mod encode;
pub(crate) mod masking_vocabulary;
pub(crate) mod safe_cut;
pub(crate) mod template;
pub(crate) mod text_encoder;
pub(crate) mod tokenized;
pub(crate) mod tokenizer;
pub(crate) mod tokenizer_directory;
pub(crate) mod truncation;
