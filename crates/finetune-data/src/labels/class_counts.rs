//! Counts the rows of each class, before anything is tokenized.

use crate::{Columns, LabelDecoder, Result, Split, Task};

impl Split {
    /// Returns the number of rows of each class, in the order of the names in `labels`; a row with
    /// several classes counts for each. Empty for regression. Reads the label columns once.
    ///
    /// # Errors
    /// Fails for a label that cannot be decoded.
    pub fn class_counts(&self, columns: &Columns, labels: &Task) -> Result<Vec<u64>> {
        let mut counts = vec![0; labels.class_names().len()];
        if counts.is_empty() {
            return Ok(counts);
        }
        let decoder = LabelDecoder::new(labels, self, columns)?;
        let names: Vec<_> = decoder.columns().iter().map(String::as_str).collect();
        for rows in self.read(&names)? {
            let rows = rows?;
            let labels = decoder.decode(&rows)?;
            for class in (0..rows.batch.num_rows()).flat_map(|row| labels.classes_of(row)) {
                counts[class] += 1;
            }
        }
        Ok(counts)
    }
}
