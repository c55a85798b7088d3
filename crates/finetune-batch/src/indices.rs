//! Indices of rows that an operation reads or adds to.

use std::{fmt, ops::Deref, sync::Arc};

use crate::DeviceForms;

/// Row indices into a table, one per token. They are created from a `Vec<u32>` or similar and read as a
/// slice. Clones are cheap and share the indices on devices.
#[derive(Clone)]
pub struct Indices {
    rows: Arc<Vec<u32>>,
    forms: DeviceForms,
}

impl Indices {
    /// Returns the device forms of the indices.
    pub fn forms(&self) -> &DeviceForms {
        &self.forms
    }
}

impl Deref for Indices {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        &self.rows
    }
}

/// Takes the indices without copying them.
impl From<Vec<u32>> for Indices {
    fn from(rows: Vec<u32>) -> Self {
        Self {
            rows: rows.into(),
            forms: DeviceForms::default(),
        }
    }
}

impl From<&[u32]> for Indices {
    fn from(rows: &[u32]) -> Self {
        rows.to_vec().into()
    }
}

impl<const N: usize> From<[u32; N]> for Indices {
    fn from(rows: [u32; N]) -> Self {
        rows.to_vec().into()
    }
}

impl From<Arc<[u32]>> for Indices {
    fn from(rows: Arc<[u32]>) -> Self {
        rows.to_vec().into()
    }
}

impl FromIterator<u32> for Indices {
    fn from_iter<I: IntoIterator<Item = u32>>(rows: I) -> Self {
        rows.into_iter().collect::<Vec<_>>().into()
    }
}

impl fmt::Debug for Indices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rows.fmt(f)
    }
}

impl PartialEq for Indices {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows
    }
}

impl Eq for Indices {}
