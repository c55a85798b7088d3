//! Data sets, their splits and their columns: which rows there are, and where they come from.

pub(crate) mod cell;
pub(crate) mod class_folders;
pub(crate) mod column;
pub(crate) mod columns;
pub(crate) mod dataset;
pub(crate) mod discover;
pub(crate) mod overlap;
pub(crate) mod row_set;
pub(crate) mod split;
pub(crate) mod split_expr;
pub(crate) mod stratify;
pub(crate) mod texts;
pub(crate) mod value;
