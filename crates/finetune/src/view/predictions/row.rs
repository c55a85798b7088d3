//! What is predicted, beside which its prediction is shown.

use std::sync::Arc;

use finetune_data::arrow::array::RecordBatch;

use crate::view::terminal::Texts;

/// One row to predict.
pub struct Row {
    /// Its text or pair of texts; `None` where it has none.
    pub texts: Option<Texts>,
    /// The rows of the file that it is among, and its number there, where all columns are wanted.
    pub origin: Option<(Arc<RecordBatch>, usize)>,
}
