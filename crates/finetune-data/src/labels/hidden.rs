//! Labels that a test set keeps to itself.

use crate::labels::array::LabelArray;
use crate::{Columns, Result, Split};

impl Split {
    /// Is every label -1, by which `datasets` marks rows whose labels are hidden, as in the test sets
    /// of GLUE? Reads up to the first other label. False without a row, and with several label
    /// columns.
    ///
    /// # Errors
    /// An unknown column, or a file that cannot be read.
    pub fn labels_are_hidden(&self, columns: &Columns) -> Result<bool> {
        let [column] = &columns.label[..] else {
            return Ok(false);
        };
        let mut hidden = false;
        for rows in self.read(&[column])? {
            let rows = rows?;
            let labels = LabelArray::new(rows.batch.column(0), column, columns.cells, &rows)?;
            let is_other = |row: usize| labels.get(row).integer() != Some(-1);
            if (0..rows.batch.num_rows()).any(is_other) {
                return Ok(false);
            }
            hidden = true;
        }
        Ok(hidden)
    }
}
