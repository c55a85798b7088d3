//! Finds the probabilities from which labels should count as predicted.

use serde::Serialize;

use crate::multi_label::DEFAULT_THRESHOLD;
use crate::ranking::Ranking;

/// The thresholds that give the best F1 on a data set.
///
/// For each class, every cut between two neighbouring probabilities is tried in one pass over the
/// sorted rows. The threshold is the middle of the gap at the best cut (or between the lowest
/// probability and 0 if all rows are predicted), so that it does not depend on the last bits of a
/// probability. Of equally good cuts the one nearest 0.5 is taken, and 0.5 itself if it is as good as
/// any, as it is for a class without positive rows. Choose thresholds on validation rows, never on test
/// rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BestThresholds {
    /// A threshold per class, `[classes]`, which together maximise the macro F1.
    pub per_class: Vec<f64>,
    /// Each class's F1 at its threshold.
    pub f1_per_class: Vec<f64>,
    /// The common threshold for all classes that maximises the micro F1.
    pub global: f64,
    /// The micro F1 at the common threshold.
    pub f1_micro_global: f64,
}

impl BestThresholds {
    /// Finds the thresholds; `classes` ranks the rows of each class, and `all` every label of every row.
    pub(crate) fn new(classes: impl Iterator<Item = Ranking>, all: Ranking) -> Self {
        let (global, f1_micro_global) = best_threshold(&all);
        drop(all);
        let (per_class, f1_per_class) = classes.map(|ranking| best_threshold(&ranking)).unzip();
        Self {
            per_class,
            f1_per_class,
            global,
            f1_micro_global,
        }
    }
}

/// Finds the threshold of the best F1, and returns both.
fn best_threshold(ranking: &Ranking) -> (f64, f64) {
    let targets = ranking.positives();
    let f1 = |hits: u64, predictions: u64| match targets + predictions {
        0 => 0.0,
        sum => 2.0 * hits as f64 / sum as f64,
    };
    // The cut at 0.5 comes first, so that only a better one replaces it.
    let (mut hits, mut predictions) = (0, 0);
    for step in ranking
        .steps()
        .take_while(|step| step.score >= DEFAULT_THRESHOLD)
    {
        hits += step.positives;
        predictions += step.positives + step.negatives;
    }
    let mut best = (DEFAULT_THRESHOLD, f1(hits, predictions));

    let (mut hits, mut predictions) = (0, 0);
    let mut steps = ranking.steps().peekable();
    while let Some(step) = steps.next() {
        hits += step.positives;
        predictions += step.positives + step.negatives;
        let below = steps.peek().map_or(0.0, |next| next.score);
        let middle = below + (step.score - below) / 2.0;
        // Adjacent floats have no middle; the upper one separates them.
        let threshold = if middle > below { middle } else { step.score };
        let score = f1(hits, predictions);
        let nearer = (threshold - DEFAULT_THRESHOLD).abs() < (best.0 - DEFAULT_THRESHOLD).abs();
        if score > best.1 || (score == best.1 && nearer) {
            best = (threshold, score);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(rows: &[(f64, bool)]) -> (f64, f64) {
        best_threshold(&Ranking::new(rows.iter().copied()))
    }

    #[test]
    fn of_equally_good_cuts_the_one_nearest_to_a_half_is_taken() {
        // Finding one of two without a false alarm is as good as finding both with two: F1 is 2/3.
        let high = [
            (0.9, true),
            (0.8, false),
            (0.7, false),
            (0.625, true),
            (0.5625, false),
        ];
        assert_eq!(best(&high), (0.59375, 2.0 / 3.0));
        let low = [(0.375, true), (0.25, false), (0.2, false), (0.1, true)];
        assert_eq!(best(&low), (0.3125, 2.0 / 3.0));
    }

    #[test]
    fn a_half_stays_where_nothing_is_better() {
        assert_eq!(best(&[(0.75, true), (0.25, false)]), (0.5, 1.0));
        assert_eq!(best(&[(0.9, true), (0.8, true), (0.1, false)]), (0.5, 1.0));
        assert_eq!(best(&[(0.9, false), (0.1, false)]), (0.5, 0.0));
    }

    #[test]
    fn neighbouring_floats_and_saturated_probabilities_are_still_separated() {
        let above = 0.25_f64.next_up();
        assert_eq!(best(&[(above, true), (0.25, false)]), (above, 1.0));
        assert_eq!(best(&[(0.0, true)]), (0.0, 1.0));
    }
}
