#![doc = include_str!("../README.md")]

mod card;
mod error;
mod facts;
mod format;
mod held_out;
mod log;
mod page;
mod plots;
mod sections;

pub use card::Card;
pub use error::ReportError;
pub use facts::{Change, Measure, RunFacts, RunState, Session, Setup, SplitLengths, Times};
pub use held_out::{HeldOut, ListedRow, RowText, Word};
pub use log::{EvaluationPoint, Finished, RunLog, Started, StepPoint};
pub use page::{GENERATOR, page};
