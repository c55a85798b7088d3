//! Tests that write, cut, damage, continue and read event files, and compare them with tensorboard's.
#![allow(clippy::unwrap_used, clippy::panic)]

mod golden;
mod hparams;
mod reader;
mod resume;
mod writer;
