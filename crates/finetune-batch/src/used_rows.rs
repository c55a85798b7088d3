//! Which rows of a table a batch touches.

use std::sync::Arc;

use crate::Indices;

/// The rows of a table that are used at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedRows {
    /// Their numbers, ascending, each once.
    pub rows: Arc<[u32]>,
    /// For each use, the place of its row in `rows`.
    pub places: Indices,
}

impl UsedRows {
    /// Takes uses in any order.
    pub fn of(uses: &[u32]) -> Self {
        let mut rows = uses.to_vec();
        rows.sort_unstable();
        rows.dedup();
        let place = |row| rows.partition_point(|other| other < row) as u32;
        Self {
            places: uses.iter().map(place).collect(),
            rows: rows.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_rows_are_ascending_and_found_again() {
        let used = UsedRows::of(&[7, 2, 7, 0, 2]);
        assert_eq!(*used.rows, [0, 2, 7]);
        assert_eq!(*used.places, [2, 1, 2, 0, 1]);
        assert!(UsedRows::of(&[]).rows.is_empty());
    }
}
