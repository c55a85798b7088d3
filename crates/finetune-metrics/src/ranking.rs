//! Areas under curves over all thresholds: ROC-AUC and average precision.

/// Scores of the positive and of the negative rows of one class, each sorted in descending order.
///
/// Sorting dominates the cost: O(rows · log rows) time and 8 bytes per row.
#[derive(Debug)]
pub(crate) struct Ranking {
    positives: Vec<f64>,
    negatives: Vec<f64>,
}

/// The rows with the same score.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) score: f64,
    pub(crate) positives: u64,
    pub(crate) negatives: u64,
}

impl Ranking {
    /// Creates a ranking from each row's score (never NaN) and whether the row is positive.
    pub(crate) fn new(rows: impl Iterator<Item = (f64, bool)>) -> Self {
        let mut ranking = Self {
            positives: Vec::new(),
            negatives: Vec::new(),
        };
        for (score, positive) in rows {
            match positive {
                true => ranking.positives.push(score),
                false => ranking.negatives.push(score),
            }
        }
        for scores in [&mut ranking.positives, &mut ranking.negatives] {
            scores.sort_unstable_by(|a, b| b.total_cmp(a));
        }
        ranking
    }

    pub(crate) fn positives(&self) -> u64 {
        self.positives.len() as u64
    }

    /// Iterates over the distinct scores in descending order.
    pub(crate) fn steps(&self) -> impl Iterator<Item = Step> {
        let (mut positives, mut negatives) = (self.positives.as_slice(), self.negatives.as_slice());
        std::iter::from_fn(move || {
            let score = match (positives.first(), negatives.first()) {
                (Some(&a), Some(&b)) => a.max(b),
                (Some(&one), None) | (None, Some(&one)) => one,
                (None, None) => return None,
            };
            Some(Step {
                score,
                positives: take_equal(&mut positives, score),
                negatives: take_equal(&mut negatives, score),
            })
        })
    }

    /// Computes the probability that a positive row scores above a negative one, with ties counting
    /// half: scikit-learn's `roc_auc_score`. NaN if there are no positive or no negative rows.
    pub(crate) fn roc_auc(&self) -> f64 {
        // Twice the number of correctly ordered pairs is an integer, so nothing is rounded.
        let (mut twice, mut above) = (0_u128, 0_u128);
        for step in self.steps() {
            let positives = u128::from(step.positives);
            twice += u128::from(step.negatives) * (2 * above + positives);
            above += positives;
        }
        let pairs = self.positives.len() as f64 * self.negatives.len() as f64;
        twice as f64 / (2.0 * pairs)
    }

    /// Computes the mean precision with the positive rows' scores as thresholds, without interpolation:
    /// scikit-learn's `average_precision_score`. 0 without positive rows, NaN without rows.
    pub(crate) fn average_precision(&self) -> f64 {
        if self.positives.is_empty() {
            return if self.negatives.is_empty() {
                f64::NAN
            } else {
                0.0
            };
        }
        let (mut hits, mut rows, mut sum) = (0, 0, 0.0);
        for step in self.steps() {
            hits += step.positives;
            rows += step.positives + step.negatives;
            sum += step.positives as f64 * (hits as f64 / rows as f64);
        }
        sum / self.positives.len() as f64
    }
}

/// Removes the leading values equal to `score` and counts them.
fn take_equal(scores: &mut &[f64], score: f64) -> u64 {
    let equal = scores.iter().take_while(|&&other| other == score).count();
    *scores = &scores[equal..];
    equal as u64
}

/// The unweighted means of ROC-AUC and average precision over several classes.
#[derive(Debug, Default)]
pub(crate) struct RankingMean {
    classes: usize,
    roc_auc: f64,
    average_precision: f64,
}

impl RankingMean {
    pub(crate) fn add(&mut self, ranking: &Ranking) {
        self.classes += 1;
        self.roc_auc += ranking.roc_auc();
        self.average_precision += ranking.average_precision();
    }

    /// Returns the mean ROC-AUC; NaN if a class has no positive or no negative rows.
    pub(crate) fn roc_auc(&self) -> f64 {
        self.roc_auc / self.classes as f64
    }

    pub(crate) fn average_precision(&self) -> f64 {
        self.average_precision / self.classes as f64
    }
}
