//! Event files written, compared with tensorboard's own, cut, damaged, continued and read.

mod golden;
mod hparams;
mod reader;
mod resume;
mod writer;
