//! Detects test sets whose labels are hidden.

use crate::labels::array::LabelArray;
use crate::{Columns, Result, Split};

impl Split {
    /// Returns whether every label is -1, by which `datasets` marks rows with hidden labels, as in
    /// the test sets of GLUE. Reads up to the first other label. The result is false without any
    /// row and with several label columns.
    ///
    /// # Errors
    /// Fails for an unknown column and for a file that cannot be read.
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
