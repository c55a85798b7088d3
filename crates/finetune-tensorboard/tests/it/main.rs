//! Event files written, compared with tensorboard's own, cut, damaged, continued and read.
#![allow(clippy::unwrap_used, clippy::panic)]
#![allow(clippy::unwrap_used, clippy::approx_constant)]

mod golden;
mod hparams;
mod reader;
mod resume;
mod writer;
