//! Integration tests: files in, batches out.
#![allow(clippy::unwrap_used, clippy::panic)]

mod bad_input;
mod cache;
mod common;
mod damaged;
mod dialects;
mod formats;
mod labels;
mod layouts;
mod meaning;
#[cfg(target_os = "linux")]
mod memory;
mod name_notes;
mod parquet_sink;
mod real_data;
mod row_numbers;
mod sampler;
mod silent;
mod splits;
mod tasks;
mod tokenization;
mod tokenizers;
mod unlabelled;
mod windows;
mod word_vectors;
