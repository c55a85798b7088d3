//! The pairs of texts that contrastive training compares.

use finetune_data::{Labels, Permutation, TokenizedDataset};

use crate::{Strategy, TrainError, TrainPlan};

/// Rows per reading of labels.
const CHUNK: u64 = 4096;

/// Checks that strategy `contrastive`, if it is the plan's, finds pairs for every class of the training rows.
///
/// # Errors
/// Fails with [`TrainError::TooFewTexts`] if a class has a single row, which has no pair of its own class.
pub fn check_pairs(plan: &TrainPlan, data: &TokenizedDataset) -> Result<(), TrainError> {
    if plan.model.strategy != Strategy::Contrastive {
        return Ok(());
    }
    let counts = data.class_counts().unwrap_or_default();
    match counts
        .iter()
        .zip(&plan.data.labels)
        .find(|(count, _)| **count == 1)
    {
        None => Ok(()),
        Some((_, class)) => Err(TrainError::TooFewTexts {
            class: class.clone(),
        }),
    }
}

/// All pairs of different training rows, of the same class and of different classes. They are computed
/// rather than stored, since their number is the square of that of the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pairs {
    /// The rows, class by class.
    rows: Vec<u64>,
    /// The classes that have rows, in order.
    classes: Vec<Class>,
    /// Number of pairs of each kind in an epoch.
    of_each_kind: u64,
    seed: u64,
}

/// The rows of a class, and the number of pairs whose first row is in a class before this one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Class {
    start: u64,
    rows: u64,
    same_before: u64,
    other_before: u64,
}

impl Pairs {
    /// Lists the pairs of the training rows.
    ///
    /// # Errors
    /// Fails as [`check_pairs`] does, or if the labels cannot be read.
    pub fn new(plan: &TrainPlan, data: &TokenizedDataset) -> Result<Self, TrainError> {
        check_pairs(plan, data)?;
        let mut by_class = vec![Vec::new(); plan.data.labels.len()];
        let mut start = 0;
        while start < data.len() {
            let rows: Vec<_> = (start..data.len().min(start + CHUNK)).collect();
            let Labels::Classes(labels) = data.labels(&rows)? else {
                return Err(TrainError::Internal("pairs of rows without classes".into()));
            };
            for (row, class) in rows.into_iter().zip(labels) {
                by_class[class as usize].push(row);
            }
            start += CHUNK;
        }
        let max = plan.model.contrastive.max_pairs.get();
        Ok(Self::among(by_class, max, plan.seed))
    }

    fn among(by_class: Vec<Vec<u64>>, max: u64, seed: u64) -> Self {
        let all: u64 = by_class.iter().map(|rows| rows.len() as u64).sum();
        let (mut classes, mut start, mut same, mut other) = (Vec::new(), 0, 0, 0);
        for rows in by_class.iter().map(|rows| rows.len() as u64) {
            if rows == 0 {
                continue;
            }
            classes.push(Class {
                start,
                rows,
                same_before: same,
                other_before: other,
            });
            start += rows;
            same += rows * (rows - 1) / 2;
            other += rows * (all - start);
        }
        Self {
            rows: by_class.concat(),
            classes,
            // The rarer kind is repeated.
            of_each_kind: same.max(other).min(max.div_ceil(2)),
            seed,
        }
    }

    /// Returns the number of pairs in an epoch.
    pub fn per_epoch(&self) -> u64 {
        2 * self.of_each_kind
    }

    /// Returns the order of the pairs in an epoch, which depends on `(seed, epoch)` alone.
    ///
    /// # Errors
    /// Fails if there are more pairs than can be shuffled.
    pub fn of_epoch(&self, epoch: u64) -> Result<PairOrder<'_>, TrainError> {
        // Streams apart from those of the rows, which are numbered by epochs too.
        let order = |pairs, kind| Permutation::new(pairs, self.seed, SAME + kind + 2 * epoch);
        Ok(PairOrder {
            pairs: self,
            same: order(self.same(), 0)?,
            other: order(self.other(), 1)?,
        })
    }

    /// Returns the number of pairs of the same class.
    fn same(&self) -> u64 {
        let last = self.classes.last();
        last.map_or(0, |class| {
            class.same_before + class.rows * (class.rows - 1) / 2
        })
    }

    /// Returns the number of pairs of different classes.
    fn other(&self) -> u64 {
        // No class comes after the last.
        self.classes.last().map_or(0, |class| class.other_before)
    }

    /// Returns pair `index` of the same class.
    fn same_at(&self, index: u64) -> [u64; 2] {
        let class = self.class_of(index, |class| class.same_before);
        let index = index - class.same_before;
        // Row `second` is in `second` pairs with the rows before it.
        let mut second = (((8.0 * index as f64 + 1.0).sqrt() + 1.0) / 2.0) as u64;
        while second * (second - 1) / 2 > index {
            second -= 1;
        }
        while second * (second + 1) / 2 <= index {
            second += 1;
        }
        let first = index - second * (second - 1) / 2;
        [first, second].map(|row| self.rows[(class.start + row) as usize])
    }

    /// Returns pair `index` of different classes.
    fn other_at(&self, index: u64) -> [u64; 2] {
        let class = self.class_of(index, |class| class.other_before);
        let index = index - class.other_before;
        let end = class.start + class.rows;
        let after = self.rows.len() as u64 - end;
        [class.start + index / after, end + index % after].map(|row| self.rows[row as usize])
    }

    /// Returns the class of the first row of a pair.
    fn class_of(&self, index: u64, before: impl Fn(&Class) -> u64) -> &Class {
        let after = self.classes.partition_point(|class| before(class) <= index);
        &self.classes[after - 1]
    }
}

/// Number of the first stream of pairs.
const SAME: u64 = 1 << 40;

/// The pairs of an epoch in order: one of the same class, one of different classes, and so on.
#[derive(Clone, Debug)]
pub(crate) struct PairOrder<'a> {
    pairs: &'a Pairs,
    same: Permutation,
    other: Permutation,
}

impl PairOrder<'_> {
    /// Returns the rows of pair `index`.
    pub fn get(&self, index: u64) -> [u64; 2] {
        let number = index / 2;
        match index % 2 {
            0 => self.pairs.same_at(self.same.get(number % self.same.len())),
            _ => self
                .pairs
                .other_at(self.other.get(number % self.other.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The class of each row: rows 0, 3 and 4 are of class 0, and so on; class 1 has none.
    const CLASSES: [usize; 9] = [0, 2, 2, 0, 0, 3, 3, 3, 3];

    fn pairs(max: u64) -> Pairs {
        let mut by_class = vec![Vec::new(); 4];
        for (row, class) in CLASSES.into_iter().enumerate() {
            by_class[class].push(row as u64);
        }
        Pairs::among(by_class, max, 7)
    }

    fn is_same([a, b]: [u64; 2]) -> bool {
        CLASSES[a as usize] == CLASSES[b as usize]
    }

    #[test]
    fn every_pair_is_there_and_the_rarer_kind_repeats() {
        let pairs = pairs(u64::MAX);
        // 3 + 1 + 6 of the same class, 3·2 + 3·4 + 2·4 of others.
        assert_eq!(
            (pairs.same(), pairs.other(), pairs.per_epoch()),
            (10, 26, 52)
        );
        let order = pairs.of_epoch(0).unwrap();
        let mut seen = BTreeMap::<[u64; 2], u64>::new();
        for index in 0..52 {
            let mut pair = order.get(index);
            assert_eq!(is_same(pair), index % 2 == 0);
            pair.sort_unstable();
            assert_ne!(pair[0], pair[1]);
            *seen.entry(pair).or_default() += 1;
        }
        assert_eq!(seen.len(), 9 * 8 / 2);
        for (pair, count) in seen {
            let expected = if is_same(pair) { 2..=3 } else { 1..=1 };
            assert!(expected.contains(&count), "{pair:?}: {count}");
        }
    }

    #[test]
    fn epochs_differ_and_are_limited() {
        let pairs = pairs(20);
        assert_eq!(pairs.per_epoch(), 20);
        let epoch = |epoch| -> Vec<_> {
            let order = pairs.of_epoch(epoch).unwrap();
            (0..20).map(|index| order.get(index)).collect()
        };
        assert_eq!(epoch(1), epoch(1));
        assert_ne!(epoch(0), epoch(1));
    }

    #[test]
    fn large_numbers_are_exact() {
        let rows = 3_000_000;
        let pairs = Pairs::among(vec![(0..rows).collect(), (rows..rows + 2).collect()], 64, 1);
        assert_eq!(pairs.same(), rows * (rows - 1) / 2 + 1);
        for index in [0, 1, 2, 3, 4_499_998_499_998, 4_499_998_499_999, 1 << 40] {
            let [first, second] = pairs.same_at(index);
            assert_eq!(second * (second - 1) / 2 + first, index);
            assert!(first < second && second < rows);
        }
        assert_eq!(pairs.same_at(pairs.same() - 1), [rows, rows + 1]);
        assert_eq!(pairs.other_at(pairs.other() - 1), [rows - 1, rows + 1]);
    }
}
