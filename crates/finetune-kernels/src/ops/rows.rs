//! The rows of an embedding table that an optimizer step updates.

use std::sync::Arc;

/// The rows of a table that an optimizer step updates.
#[derive(Clone, Debug)]
pub struct TableRows {
    /// Rows with a gradient in this step, in ascending order without duplicates.
    pub used: Arc<[u32]>,
    /// For each row of the table, whether it has ever had a gradient, including this step. Otherwise
    /// both of its moments are zero and are not even read, since the step consists of weight decay
    /// alone.
    pub ever_used: Arc<[bool]>,
}
