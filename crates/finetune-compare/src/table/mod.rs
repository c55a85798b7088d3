//! The table of a comparison: plain data, and its forms.

mod cells;
mod comparable;
mod comparison;
mod facts;
mod files;
mod group;
mod legend;
mod rows;
mod units;

pub use comparison::{Change, Comparison, Point, Row, RunValue, Score, ScoreInterval};
pub use facts::{EvaluationFacts, RowPredictions, RunFacts, TaskFacts};
pub use group::{Failed, Group, Incomplete};
pub use units::{bytes, count, seconds, share};
