//! The rows of a table that a batch uses.

use std::sync::Arc;

use crate::Indices;

/// The distinct rows of a table that are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedRows {
    /// Indices of the rows in ascending order, without duplicates.
    pub rows: Arc<[u32]>,
    /// For each use, the index of its row in `rows`.
    pub places: Indices,
}

impl UsedRows {
    /// Finds the distinct rows of uses in any order.
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
