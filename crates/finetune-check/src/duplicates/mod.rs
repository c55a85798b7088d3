//! Rows whose texts are the same, or nearly so.

mod edit;
pub(crate) mod groups;
pub(crate) mod near;

use std::collections::HashMap;

use crate::data::{Data, Role};
use crate::duplicates::groups::Groups;
use crate::duplicates::near::NearPair;
use crate::error::Result;
use crate::finding::RowNumber;
use crate::scan::Scan;

/// How much alike two texts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Likeness {
    /// The same characters.
    Exact,
    /// The same but for case, blanks and Unicode forms.
    Normalised,
    /// Most words, in order.
    Near,
}

/// A row, and an earlier one that it is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Link {
    pub(crate) row: RowNumber,
    pub(crate) other: RowNumber,
    pub(crate) likeness: Likeness,
    pub(crate) similarity: f64,
}

/// All duplicates.
pub(crate) struct Duplicates {
    pub(crate) groups: Groups,
    /// Pairs of groups, in order.
    pub(crate) near: Vec<NearPair>,
    /// For each row that has duplicates before it in its split, the most alike.
    pub(crate) within: Vec<Link>,
    /// For each row that has duplicates in a split of an earlier role, the most alike in each.
    pub(crate) between: Vec<Link>,
}

impl Duplicates {
    /// Finds the duplicates.
    pub(crate) fn find(
        data: &Data<'_>,
        scan: &Scan,
        at_least: f64,
        stopped: &mut dyn FnMut() -> bool,
    ) -> Result<Self> {
        let groups = Groups::new(scan);
        let near = near::pairs(data, scan, &groups, at_least, stopped)?;
        let mut links = Links {
            scan,
            found: HashMap::new(),
        };
        for rows in groups.several() {
            links.of_group(rows);
        }
        for pair in &near {
            let (a, b) = (groups.rows_of(&pair.first), groups.rows_of(&pair.second));
            links.of_pair(a, b, pair.similarity);
        }
        let mut links: Vec<Link> = links.found.into_values().collect();
        links.sort_unstable_by_key(|link| (link.row, link.other));
        let (within, between) = links
            .into_iter()
            .partition(|link| scan.role(link.row) == scan.role(link.other));
        Ok(Self {
            groups,
            near,
            within,
            between,
        })
    }
}

/// Collects the best link of each row into each split.
struct Links<'a> {
    scan: &'a Scan,
    found: HashMap<(RowNumber, Role), Link>,
}

impl Links<'_> {
    /// Links the rows of a group, which are in order.
    fn of_group(&mut self, rows: &[RowNumber]) {
        let scan = self.scan;
        // The first row of each text as it stands, and of all, in each split.
        let mut exact: HashMap<(Role, u128), RowNumber> = HashMap::new();
        let mut first: HashMap<Role, RowNumber> = HashMap::new();
        for &row in rows {
            let role = scan.role(row);
            for part in scan.parts.iter().take_while(|part| part.role <= role) {
                let same = exact.get(&(part.role, scan.row(row).exact));
                let (other, likeness) = match (same, first.get(&part.role)) {
                    (Some(other), _) => (*other, Likeness::Exact),
                    (None, Some(other)) => (*other, Likeness::Normalised),
                    (None, None) => continue,
                };
                self.add(Link {
                    row,
                    other,
                    likeness,
                    similarity: 1.0,
                });
            }
            exact.entry((role, scan.row(row).exact)).or_insert(row);
            first.entry(role).or_insert(row);
        }
    }

    /// Links the rows of two groups that are alike.
    fn of_pair(&mut self, a: &[RowNumber], b: &[RowNumber], similarity: f64) {
        let firsts = [self.firsts(a), self.firsts(b)];
        for (rows, others) in [(a, &firsts[1]), (b, &firsts[0])] {
            for &row in rows {
                for &other in others {
                    if other < row {
                        self.add(Link {
                            row,
                            other,
                            likeness: Likeness::Near,
                            similarity,
                        });
                    }
                }
            }
        }
    }

    /// Returns the first of these rows in each split.
    fn firsts(&self, rows: &[RowNumber]) -> Vec<RowNumber> {
        let mut firsts: Vec<RowNumber> = Vec::new();
        for &row in rows {
            let is_new = |last: &RowNumber| self.scan.role(*last) != self.scan.role(row);
            if firsts.last().is_none_or(is_new) {
                firsts.push(row);
            }
        }
        firsts
    }

    fn add(&mut self, link: Link) {
        let role = self.scan.role(link.other);
        let better = |old: &Link| {
            let key = |link: &Link| (link.likeness, -link.similarity, link.other);
            key(&link) < key(old)
        };
        let known = self.found.get(&(link.row, role));
        if known.is_none_or(better) {
            self.found.insert((link.row, role), link);
        }
    }
}
