use std::sync::Arc;

/// Which rows of a table a step is about.
#[derive(Clone, Debug)]
pub struct TableRows {
    /// Rows with a gradient in this step, ascending, each once.
    pub used: Arc<[u32]>,
    /// For each row of the table whether it ever had a gradient, this step's included. Of a row that
    /// had none both moments are zero, so that its step is its decay alone: they are not even read.
    pub ever_used: Arc<[bool]>,
}
