//! How the cells of label columns are written.

/// How the cells of a label column are written, where their type and value do not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LabelCells {
    /// The separator between several classes in one text, such as the `;` in `anger;joy`. The parts
    /// are trimmed, and an empty cell is a row without a class.
    pub separator: Option<char>,
    /// What lists of integers mean. If `None`, [`Inferred::of`](crate::Inferred::of) determines it,
    /// and a decoder treats ambiguous lists as indices.
    pub lists: Option<IntegerLists>,
}

/// What a list of integers in a row means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntegerLists {
    /// The indices of the row's classes: `[0, 3]`.
    Indices,
    /// A 0 or 1 for each class: `[1, 0, 0, 1]`.
    Marks,
}
