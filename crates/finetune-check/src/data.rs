//! What is checked: the rows of up to three splits, their columns and what their labels mean.

use finetune_data::{Columns, Skipped, Split, TextTokenizer};
use finetune_task::Task;
use serde::Serialize;

/// What the rows of a split are for. The order is that in which leaks are told: a row of a later role that
/// is in an earlier one is a leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Rows to learn from.
    Train,
    /// Rows to choose by.
    Validation,
    /// Rows to judge by.
    Test,
}

impl Role {
    /// Returns the name of the role, which is also that of its file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// The rows of a split that have a text and, where there are labels, a label.
#[derive(Clone, Debug)]
pub struct CheckedSplit {
    /// What the rows are for.
    pub role: Role,
    /// The rows.
    pub split: Split,
    /// The rows that were left out of `split` because they lack a text or a label.
    pub incomplete: Option<Skipped>,
}

/// The data to check.
#[derive(Debug)]
pub struct Data<'a> {
    /// The data set as the user named it.
    pub name: &'a str,
    /// The splits, each role at most once, in the order of their roles.
    pub splits: &'a [CheckedSplit],
    /// The columns of texts and labels; without label columns, the rows are unlabelled.
    pub columns: &'a Columns,
    /// What the labels mean; `None` if the rows are unlabelled.
    pub task: Option<&'a Task>,
    /// The tokenizer of the model that is to be trained, and the length at which it cuts rows.
    pub tokenizer: Option<(&'a TextTokenizer, usize)>,
}
