//! Determines what the labels of a data set mean, and decodes those of each row.

pub(crate) mod array;
pub(crate) mod cells;
pub(crate) mod class_counts;
pub(crate) mod class_index;
pub(crate) mod columns;
pub(crate) mod decoder;
pub(crate) mod facts;
pub(crate) mod hidden;
pub(crate) mod inference;
pub(crate) mod inferred;
pub(crate) mod lists;
pub(crate) mod name_matching;
pub(crate) mod name_notes;
pub(crate) mod names;
pub(crate) mod python_list;
pub(crate) mod skip_invalid;
pub(crate) mod union;
pub(crate) mod values;
