//! The rows that a model got most wrong.

/// The rows that a model got most wrong, the worst first.
#[derive(Clone, Debug, PartialEq)]
pub struct WorstRows {
    /// What [`WrongRow::size`] is, in a word.
    pub measure: &'static str,
    /// The rows.
    pub rows: Vec<WrongRow>,
}

/// A row that a model got wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct WrongRow {
    /// Index of the row in the order of the updates.
    pub row: usize,
    /// What it is, in words.
    pub label: String,
    /// What the model said, in words.
    pub prediction: String,
    /// Probability of the wrong prediction, or how far it is off.
    pub size: f64,
}

impl WorstRows {
    /// The `count` worst of these. The sort is stable, so equal errors stay in order.
    pub(crate) fn new(measure: &'static str, mut rows: Vec<WrongRow>, count: usize) -> Self {
        rows.sort_by(|a, b| b.size.total_cmp(&a.size));
        rows.truncate(count);
        Self { measure, rows }
    }
}
