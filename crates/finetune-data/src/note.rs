//! Notes: observations about the data that the user should see.

use std::fmt;

/// An observation about the data that overrides nothing the user said but that the user should see:
/// a guess and what decided it, a name matched despite its case, a class without rows. The text
/// names file, row or column where there is one. The caller prints it; this crate never does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Note(String);

impl Note {
    /// Creates a note with this text, a clause without a final full stop.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
