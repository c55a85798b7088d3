//! Rows whose folded texts are the same.

use std::collections::HashMap;

use crate::finding::RowNumber;
use crate::scan::Scan;
use crate::scan::faults::Fault;

/// Groups of rows whose folded texts are the same, each named by its first row.
pub(crate) struct Groups {
    /// The first row of each row's group.
    first: Vec<RowNumber>,
    /// The rows of the groups that have several, in order.
    members: HashMap<RowNumber, Vec<RowNumber>>,
}

impl Groups {
    /// Groups the rows. Empty texts, which are no duplicates of each other, stay alone.
    pub(crate) fn new(scan: &Scan) -> Self {
        let mut order: Vec<(u128, RowNumber)> = (0..)
            .zip(&scan.rows)
            .filter(|(_, row)| !row.faults.has(Fault::Empty))
            .map(|(number, row)| (row.folded, number))
            .collect();
        order.sort_unstable();
        let mut first: Vec<RowNumber> = (0..scan.rows.len() as u32).collect();
        let mut members = HashMap::new();
        for group in order.chunk_by(|a, b| a.0 == b.0) {
            if let [(_, head), _, ..] = group {
                let rows: Vec<RowNumber> = group.iter().map(|(_, row)| *row).collect();
                for row in &rows {
                    first[*row as usize] = *head;
                }
                members.insert(*head, rows);
            }
        }
        Self { first, members }
    }

    /// Returns the first row of a row's group.
    pub(crate) fn first_of(&self, row: RowNumber) -> RowNumber {
        self.first[row as usize]
    }

    /// Returns the rows of the group that begins with this row.
    pub(crate) fn rows_of<'a>(&'a self, first: &'a RowNumber) -> &'a [RowNumber] {
        match self.members.get(first) {
            Some(rows) => rows,
            None => std::slice::from_ref(first),
        }
    }

    /// Returns the groups of several rows, in order.
    pub(crate) fn several(&self) -> Vec<&[RowNumber]> {
        let mut groups: Vec<&[RowNumber]> = self.members.values().map(Vec::as_slice).collect();
        groups.sort_unstable();
        groups
    }
}
