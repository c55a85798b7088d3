//! The rows that a model got most wrong.

/// The rows that a model got most wrong, worst first.
#[derive(Clone, Debug, PartialEq)]
pub struct WorstRows {
    /// The name of the measure in [`WrongRow::size`].
    pub measure: &'static str,
    /// The rows.
    pub rows: Vec<WrongRow>,
}

/// A row that a model got wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct WrongRow {
    /// Index of the row in the order of the updates, from 0.
    pub row: usize,
    /// The true label, in words.
    pub label: String,
    /// The prediction, in words.
    pub prediction: String,
    /// Probability of the wrong prediction, or the size of its error.
    pub size: f64,
}

impl WorstRows {
    /// Keeps the `count` worst of these rows. The sort is stable, so ties stay in order.
    pub(crate) fn new(measure: &'static str, mut rows: Vec<WrongRow>, count: usize) -> Self {
        rows.sort_by(|a, b| b.size.total_cmp(&a.size));
        rows.truncate(count);
        Self { measure, rows }
    }
}
