//! The result of inferring what labels mean.

use crate::{Columns, Note, Task};

/// What the labels mean, and what the user should know about how that was inferred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inferred {
    /// The task that the labels define.
    pub task: Task,
    /// The columns, including how their labels are read.
    pub columns: Columns,
    /// Guesses and what decided them, in the order in which they were made.
    pub notes: Vec<Note>,
}
