//! All tests across crates, in one binary so that they link once.
#![allow(clippy::unwrap_used, clippy::panic)]

mod advice;
mod bad_data;
mod bad_model;
mod bad_option;
mod batch_tokens;
mod command;
mod compare;
mod evaluate;
mod features;
mod fixtures;
mod interrupt;
mod library;
mod logs;
mod loop_options;
mod minilm;
mod optim;
mod parity;
mod peft;
mod predict;
mod resume;
mod samples;
mod strategies;
mod tasks;
mod tolerance;
mod train;
