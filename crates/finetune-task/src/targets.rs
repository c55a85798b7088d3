//! The targets that predictions are compared with.

/// The correct answers for some rows: a borrowed view of [`Labels`](crate::Labels).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Targets<'a> {
    /// One class per row, `[rows]`.
    Classes(&'a [u32]),
    /// Whether each class is present, `[rows, outputs]`.
    MultiLabel(&'a [bool]),
    /// Regression targets, `[rows, outputs]`.
    Values(&'a [f64]),
}
