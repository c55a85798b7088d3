//! What rows should have been predicted as, borrowed.

/// What the rows should have been: a view of [`Labels`](crate::Labels).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Targets<'a> {
    /// One class per row, `[rows]`.
    Classes(&'a [u32]),
    /// Whether each class is present, `[rows, outputs]`.
    MultiLabel(&'a [bool]),
    /// The numbers to predict, `[rows, outputs]`.
    Values(&'a [f64]),
}
