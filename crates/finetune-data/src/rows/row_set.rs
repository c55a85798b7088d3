//! The selected rows of a series of files, as a range or as one bit per row.

use std::ops::Range;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

#[derive(Clone, Debug)]
pub(crate) enum RowSet {
    Range(Range<u64>),
    /// Bit `i` stands for row `start + i`; 5 million rows take 625 kB.
    Bits {
        start: u64,
        words: Arc<[u64]>,
        count: u64,
    },
}

impl RowSet {
    pub(crate) fn len(&self) -> u64 {
        match self {
            RowSet::Range(range) => range.end - range.start,
            RowSet::Bits { count, .. } => *count,
        }
    }

    /// Returns the smallest range that covers the set.
    pub(crate) fn hull(&self) -> Range<u64> {
        match self {
            RowSet::Range(range) => range.clone(),
            RowSet::Bits { start, words, .. } => {
                let first = words.iter().position(|&w| w != 0);
                let last = words.iter().rposition(|&w| w != 0);
                match (first, last) {
                    (Some(first), Some(last)) => {
                        let low = first as u64 * 64 + u64::from(words[first].trailing_zeros());
                        let high = last as u64 * 64 + 64 - u64::from(words[last].leading_zeros());
                        start + low..start + high
                    }
                    _ => *start..*start,
                }
            }
        }
    }

    pub(crate) fn contains(&self, row: u64) -> bool {
        match self {
            RowSet::Range(range) => range.contains(&row),
            RowSet::Bits { start, words, .. } => row
                .checked_sub(*start)
                .and_then(|i| {
                    words
                        .get((i / 64) as usize)
                        .map(|word| word >> (i % 64) & 1 == 1)
                })
                .unwrap_or(false),
        }
    }

    /// Returns the rows for which `keep` returns true. It is called once per selected row, in
    /// order.
    pub(crate) fn filter<E>(&self, mut keep: impl FnMut() -> Result<bool, E>) -> Result<RowSet, E> {
        let hull = self.hull();
        let mut words = vec![0u64; (hull.end - hull.start).div_ceil(64) as usize];
        let mut count = 0;
        for row in hull.clone() {
            if self.contains(row) && keep()? {
                let i = row - hull.start;
                words[(i / 64) as usize] |= 1 << (i % 64);
                count += 1;
            }
        }
        Ok(RowSet::Bits {
            start: hull.start,
            words: words.into(),
            count,
        })
    }

    pub(crate) fn hash(&self, hasher: &mut Sha256) {
        match self {
            RowSet::Range(range) => {
                hasher.update([0]);
                hasher.update(range.start.to_le_bytes());
                hasher.update(range.end.to_le_bytes());
            }
            RowSet::Bits { start, words, .. } => {
                hasher.update([1]);
                hasher.update(start.to_le_bytes());
                hasher.update((words.len() as u64).to_le_bytes());
                words
                    .iter()
                    .for_each(|word| hasher.update(word.to_le_bytes()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn filter_against_brute_force(start in 0u64..100, keep in prop::collection::vec(any::<bool>(), 0..300)) {
            let range = RowSet::Range(start..start + keep.len() as u64);
            let mut answers = keep.iter();
            let set = range.filter(|| Ok::<_, ()>(*answers.next().unwrap())).unwrap();
            let expected: Vec<u64> = (start..).zip(&keep).filter(|(_, k)| **k).map(|(row, _)| row).collect();
            prop_assert_eq!(set.len(), expected.len() as u64);
            let found: Vec<u64> = (0..start + 400).filter(|&row| set.contains(row)).collect();
            prop_assert_eq!(&found, &expected);
            let hull = set.hull();
            prop_assert_eq!(hull.start..hull.end, expected.first().map_or(start..start, |f| *f..expected[expected.len() - 1] + 1));
            // Filter once more, keeping every second row.
            let mut odd = false;
            let half = set.filter(|| { odd = !odd; Ok::<_, ()>(odd) }).unwrap();
            let found: Vec<u64> = (0..start + 400).filter(|&row| half.contains(row)).collect();
            prop_assert_eq!(found, expected.into_iter().step_by(2).collect::<Vec<_>>());
        }
    }
}
