//! All tests across crates, in one binary so that they link once.
#![allow(clippy::unwrap_used, clippy::panic)]

mod adapters;
mod advice;
mod auto_strategy;
mod bad_data;
mod bad_model;
mod bad_option;
mod base_files;
mod batch_tokens;
mod cases;
mod chosen_rows;
mod command;
mod compare;
mod contrastive;
mod distillation;
mod encoders;
mod evaluate;
mod explain;
mod features;
mod fixtures;
mod hub_dataset;
// The hub that the tests of finetune-hub play; not all of it is used here.
#[path = "../../crates/finetune-hub/tests/it/server.rs"]
#[allow(dead_code)]
mod hub_server;
mod interrupt;
mod lab;
mod label_reading;
mod library;
mod logs;
mod loop_options;
mod masked_lm;
mod minilm;
mod names;
mod next;
mod optim;
mod parity;
mod peft;
mod plan;
mod predict;
mod pretrain;
mod reports;
mod resume;
mod run_damage;
mod run_lock;
mod samples;
mod scratch;
mod special_files;
mod strategies;
mod tasks;
mod tokenizer;
mod tolerance;
mod train;
mod weights;
mod word_vectors;
mod write_errors;
