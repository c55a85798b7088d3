use crate::{Columns, Note, Task};

/// What the labels are, and what a person should see of how that was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inferred {
    /// What the labels are.
    pub task: Task,
    /// The columns, with how their labels are to be read.
    pub columns: Columns,
    /// Guesses and what decided them, in the order in which they were made.
    pub notes: Vec<Note>,
}
