//! What the columns beside texts and labels say about the labels.

use std::collections::HashMap;

use finetune_data::arrow::array::{Array as _, ArrayRef};
use finetune_data::arrow::datatypes::DataType;
use finetune_data::arrow::util::display::{ArrayFormatter, FormatOptions};

/// A column with more different values than this holds measurements or identifiers rather than a hidden
/// label.
const MOST_VALUES: usize = 4096;

/// How often each value of a column occurs with each label.
pub(crate) struct ColumnFacts {
    pub(crate) name: String,
    /// Rows by value and label; `None` once the values are too many.
    pub(crate) values: Option<HashMap<String, HashMap<u64, u64>>>,
}

impl ColumnFacts {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            values: Some(HashMap::new()),
        }
    }

    /// Adds the values of some rows with these labels.
    pub(crate) fn add(&mut self, array: &ArrayRef, labels: &[u64]) {
        let Some(values) = &mut self.values else {
            return;
        };
        let options = FormatOptions::default().with_null("");
        let formatter = match is_scalar(array.data_type()) {
            true => ArrayFormatter::try_new(array, &options).ok(),
            false => None,
        };
        let Some(formatter) = formatter else {
            self.values = None;
            return;
        };
        for (row, label) in (0..array.len()).zip(labels) {
            let value = formatter.value(row).to_string();
            *values.entry(value).or_default().entry(*label).or_default() += 1;
            if values.len() > MOST_VALUES {
                self.values = None;
                return;
            }
        }
    }
}

fn is_scalar(data_type: &DataType) -> bool {
    data_type.is_primitive()
        || matches!(
            data_type,
            DataType::Boolean | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        )
}
