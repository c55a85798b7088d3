use std::sync::Arc;

/// The rows of a table that a step concerns.
#[derive(Clone, Debug)]
pub struct TableRows {
    /// Rows with a gradient in this step, ascending, each once.
    pub used: Arc<[u32]>,
    /// For each row of the table, whether it has ever had a gradient, including in this step. Both
    /// moments of a row that has had none are zero and its step is its decay alone, so they are not even
    /// read.
    pub ever_used: Arc<[bool]>,
}
