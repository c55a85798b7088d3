//! Decides which rows are removed, and why.

use std::collections::{BTreeMap, HashMap};

use crate::duplicates::{Duplicates, Likeness};
use crate::finding::{Finding, RowNumber};
use crate::scan::Scan;
use crate::scan::faults::Fault;

/// Why a row is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) finding: &'static str,
    /// The row that is kept in its place, or that contradicts it.
    pub(crate) other: Option<RowNumber>,
}

/// Returns the rows to remove for the findings that `remove` names.
///
/// Rows whose text has several labels within a split are removed altogether, since none of them is to be
/// trusted. Of duplicates one row is kept: one of the test rows if there is one, since scores are compared on
/// them, else one of the validation rows, else the first. Every other row that is removed as a duplicate is
/// one of a row that is kept.
pub(crate) fn removed(
    scan: &Scan,
    duplicates: &Duplicates,
    findings: &[Finding],
    remove: &[&str],
) -> BTreeMap<RowNumber, Reason> {
    let mut removed = BTreeMap::new();
    for finding in findings {
        let of_duplicates =
            finding.name.ends_with("-duplicates") || finding.name.ends_with("-leaks");
        if of_duplicates || finding.name == "conflicting-labels" || !remove.contains(&finding.name)
        {
            continue;
        }
        for row in &finding.rows {
            removed.entry(*row).or_insert(Reason {
                finding: finding.name,
                other: None,
            });
        }
    }
    if remove.contains(&"conflicting-labels") {
        contradictions(scan, duplicates, &mut removed);
    }
    Greedy {
        scan,
        duplicates,
        remove,
        near: neighbours(duplicates),
        kept: HashMap::new(),
    }
    .remove_into(&mut removed);
    removed
}

/// Removes the rows of a split whose text has another label in the same split.
fn contradictions(scan: &Scan, duplicates: &Duplicates, removed: &mut BTreeMap<RowNumber, Reason>) {
    for group in duplicates.groups.several() {
        for own in group.chunk_by(|a, b| scan.role(*a) == scan.role(*b)) {
            for row in own {
                let label = scan.row(*row).label;
                let other = own.iter().find(|other| scan.row(**other).label != label);
                if let Some(other) = other {
                    removed.entry(*row).or_insert(Reason {
                        finding: "conflicting-labels",
                        other: Some(*other),
                    });
                }
            }
        }
    }
}

/// Returns the groups that each group is near to.
fn neighbours(duplicates: &Duplicates) -> HashMap<RowNumber, Vec<RowNumber>> {
    let mut near: HashMap<RowNumber, Vec<RowNumber>> = HashMap::new();
    for pair in &duplicates.near {
        near.entry(pair.first).or_default().push(pair.second);
        near.entry(pair.second).or_default().push(pair.first);
    }
    near
}

/// Keeps rows in the order of preference, and removes what is like a row that is kept.
struct Greedy<'a> {
    scan: &'a Scan,
    duplicates: &'a Duplicates,
    remove: &'a [&'a str],
    near: HashMap<RowNumber, Vec<RowNumber>>,
    /// The rows of each group that are kept.
    kept: HashMap<RowNumber, Vec<RowNumber>>,
}

impl Greedy<'_> {
    fn remove_into(mut self, removed: &mut BTreeMap<RowNumber, Reason>) {
        for part in self.scan.parts.iter().rev() {
            for row in part.rows.clone() {
                if removed.contains_key(&row) || self.scan.row(row).faults.has(Fault::Empty) {
                    continue;
                }
                match self.reason(row) {
                    Some(reason) => drop(removed.insert(row, reason)),
                    None => {
                        let group = self.duplicates.groups.first_of(row);
                        self.kept.entry(group).or_default().push(row);
                    }
                }
            }
        }
    }

    /// Says why a row is removed, given those that are kept so far.
    fn reason(&self, row: RowNumber) -> Option<Reason> {
        let group = self.duplicates.groups.first_of(row);
        let none: &[RowNumber] = &[];
        let kept_of = |group| self.kept.get(group).map_or(none, Vec::as_slice);
        for &other in kept_of(&group) {
            let likeness = match self.scan.row(row).exact == self.scan.row(other).exact {
                true => Likeness::Exact,
                false => Likeness::Normalised,
            };
            if let Some(reason) = self.chosen(row, other, likeness) {
                return Some(reason);
            }
        }
        for near in self.near.get(&group).map_or(none, Vec::as_slice) {
            for &other in kept_of(near) {
                if let Some(reason) = self.chosen(row, other, Likeness::Near) {
                    return Some(reason);
                }
            }
        }
        None
    }

    /// Returns the reason to remove `row`, which is like `other`, if it is among the chosen ones.
    fn chosen(&self, row: RowNumber, other: RowNumber, likeness: Likeness) -> Option<Reason> {
        let within = self.scan.role(row) == self.scan.role(other);
        let finding = match (likeness, within) {
            (Likeness::Exact, true) => "exact-duplicates",
            (Likeness::Exact, false) => "exact-leaks",
            (Likeness::Normalised, true) => "normalised-duplicates",
            (Likeness::Normalised, false) => "normalised-leaks",
            (Likeness::Near, true) => "near-duplicates",
            (Likeness::Near, false) => "near-leaks",
        };
        self.remove.contains(&finding).then_some(Reason {
            finding,
            other: Some(other),
        })
    }
}
