//! A row to predict, with its place in the input.

use std::sync::Arc;

use finetune_data::arrow::array::RecordBatch;

use crate::view::terminal::Texts;

/// One row to predict.
pub struct Row {
    /// The text or pair of texts, if it has any.
    pub texts: Option<Texts>,
    /// The batch of the file that contains it, and its index there, if all columns are to be written.
    pub origin: Option<(Arc<RecordBatch>, usize)>,
}
