/// How the cells of a label column are written, where type and value alone do not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LabelCells {
    /// What stands between the classes of a row in one text, as the `;` of `anger;joy`. The parts are
    /// trimmed, and an empty cell is a row without a class.
    pub separator: Option<char>,
    /// What lists of integers mean. `None`: [`Inferred::of`](crate::Inferred::of)
    /// finds out, and a decoder takes them for indices where it cannot tell.
    pub lists: Option<IntegerLists>,
}

/// What a list of integers says of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntegerLists {
    /// The indices of its classes: `[0, 3]`.
    Indices,
    /// A 0 or 1 for each class: `[1, 0, 0, 1]`.
    Marks,
}
