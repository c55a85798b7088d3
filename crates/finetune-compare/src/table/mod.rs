//! The table of a comparison: plain data, and its forms.

mod cells;
mod comparison;
mod facts;
mod files;
mod units;

pub use comparison::{
    Change, Comparison, Failed, Group, Incomplete, Point, Row, RunValue, Score, ScoreInterval,
};
pub use facts::{EvaluationFacts, RowPredictions, RunFacts, TaskFacts};
pub use units::{bytes, count, seconds, share};
