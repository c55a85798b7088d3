#![doc = include_str!("../README.md")]

mod error;
mod event;
mod histogram;
mod hparams;
mod pr_curve;
mod proto;
mod reader;
mod record;
mod tensor;
mod writer;

pub use error::TensorboardError;
pub use event::{Event, SummaryValue};
pub use hparams::{HparamValue, SessionStatus};
pub use pr_curve::DEFAULT_NUM_THRESHOLDS;
pub use reader::EventReader;
pub use writer::EventWriter;
