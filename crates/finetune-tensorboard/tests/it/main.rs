//! Event files written, compared with tensorboard's own, cut, damaged, continued and read.
#![allow(clippy::unwrap_used, clippy::panic)]

mod golden;
mod hparams;
mod reader;
mod resume;
mod writer;
