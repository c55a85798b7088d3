//! The counts of a multi-label evaluation and the scores that follow from them alone.

use crate::scores::{Scores, ratio};

/// Hits, targets and predictions of every class, and sums of the rows' scores.
#[derive(Debug)]
pub(crate) struct LabelCounts {
    pub(crate) rows: u64,
    /// Number of rows whose labels are all correct.
    pub(crate) exact: u64,
    /// Number of wrong labels.
    pub(crate) wrong: u64,
    classes: Vec<Counts>,
    samples: Scores,
    /// The scores of each class, filled in by [`finish`](Self::finish).
    per_class: Vec<Scores>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    hits: u64,
    targets: u64,
    predictions: u64,
}

impl Counts {
    fn add(&mut self, predicted: bool, target: bool) {
        self.hits += u64::from(predicted && target);
        self.targets += u64::from(target);
        self.predictions += u64::from(predicted);
    }

    fn scores(&self) -> Scores {
        Scores::from_counts(self.hits, self.targets, self.predictions)
    }
}

impl LabelCounts {
    pub(crate) fn new(classes: usize) -> Self {
        Self {
            rows: 0,
            exact: 0,
            wrong: 0,
            classes: vec![Counts::default(); classes],
            samples: Scores::default(),
            per_class: Vec::new(),
        }
    }

    /// Adds a row of (predicted, target) pairs.
    pub(crate) fn update(&mut self, row: impl Iterator<Item = (bool, bool)>) {
        let (mut own, mut wrong) = (Counts::default(), 0);
        for (class, (predicted, target)) in self.classes.iter_mut().zip(row) {
            class.add(predicted, target);
            own.add(predicted, target);
            wrong += u64::from(predicted != target);
        }
        self.rows += 1;
        self.wrong += wrong;
        self.exact += u64::from(wrong == 0);
        let own = own.scores();
        self.samples.precision += own.precision;
        self.samples.recall += own.recall;
        self.samples.f1 += own.f1;
        self.samples.support += own.support;
    }

    pub(crate) fn finish(mut self) -> Self {
        self.per_class = self.classes.iter().map(Counts::scores).collect();
        self
    }

    pub(crate) fn per_class(&self) -> &[Scores] {
        &self.per_class
    }

    pub(crate) fn macro_average(&self) -> Scores {
        Scores::macro_average(&self.per_class)
    }

    pub(crate) fn weighted_average(&self) -> Scores {
        Scores::weighted_average(&self.per_class)
    }

    pub(crate) fn micro_average(&self) -> Scores {
        let sum = |count: fn(&Counts) -> u64| self.classes.iter().map(count).sum();
        Counts {
            hits: sum(|c| c.hits),
            targets: sum(|c| c.targets),
            predictions: sum(|c| c.predictions),
        }
        .scores()
    }

    pub(crate) fn samples_average(&self) -> Scores {
        let rows = self.rows as f64;
        Scores {
            precision: ratio(self.samples.precision, rows),
            recall: ratio(self.samples.recall, rows),
            f1: ratio(self.samples.f1, rows),
            support: self.samples.support,
        }
    }
}
