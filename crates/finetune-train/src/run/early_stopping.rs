//! Early stopping, for runs whose metric no longer improves.

use std::num::NonZeroU64;

use finetune_metrics::is_better;
use serde::{Deserialize, Serialize};

/// The rule of transformers' `EarlyStoppingCallback`: a run stops after `patience` consecutive
/// evaluations that do not exceed the best value by more than `threshold`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EarlyStopping {
    /// The best value so far under this rule.
    best: Option<f64>,
    /// Number of consecutive evaluations without sufficient improvement.
    waited: u64,
}

impl EarlyStopping {
    /// Returns the number of consecutive evaluations without sufficient improvement.
    pub fn waited(&self) -> u64 {
        self.waited
    }

    /// Counts an evaluation, and returns whether the run should stop. Without `patience` it never
    /// should.
    pub fn should_stop(
        &mut self,
        value: f64,
        greater_is_better: bool,
        patience: Option<NonZeroU64>,
        threshold: f64,
    ) -> bool {
        // An undefined value is not an improvement, even if there is no earlier value.
        let improved = !value.is_nan()
            && self.best.is_none_or(|best| {
                is_better(greater_is_better, value, best) && (value - best).abs() > threshold
            });
        // As in transformers, values are compared with the best one, not with the last sufficient
        // improvement.
        if self
            .best
            .is_none_or(|best| is_better(greater_is_better, value, best))
        {
            self.best = Some(value).filter(|value| !value.is_nan());
        }
        self.waited = if improved { 0 } else { self.waited + 1 };
        patience.is_some_and(|patience| self.waited >= patience.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stops_after(values: &[f64], patience: u64, threshold: f64) -> Option<usize> {
        let mut stopping = EarlyStopping::default();
        let patience = NonZeroU64::new(patience);
        let mut stop = |&value: &f64| stopping.should_stop(value, true, patience, threshold);
        values.iter().position(&mut stop)
    }

    #[test]
    fn patience_counts_evaluations_without_improvement() {
        let values = [0.5, 0.6, 0.6, 0.55, 0.7, 0.7, 0.7];
        assert_eq!(stops_after(&values, 2, 0.0), Some(3));
        assert_eq!(stops_after(&values, 3, 0.0), None);
        assert_eq!(stops_after(&values, 0, 0.0), None);
    }

    #[test]
    fn small_improvements_do_not_count() {
        assert_eq!(stops_after(&[0.5, 0.52, 0.54, 0.56], 2, 0.03), Some(2));
        assert_eq!(stops_after(&[0.5, 0.54, 0.58], 2, 0.03), None);
    }

    #[test]
    fn undefined_values_count_as_no_improvement() {
        let nan = f64::NAN;
        assert_eq!(stops_after(&[nan, nan, nan], 2, 0.0), Some(1));
        assert_eq!(stops_after(&[nan, 0.5, nan, nan], 2, 0.0), Some(3));
    }

    #[test]
    fn survives_a_checkpoint() {
        let patience = NonZeroU64::new(2);
        let mut stopping = EarlyStopping::default();
        stopping.should_stop(0.1 + 0.2, false, patience, 0.0);
        stopping.should_stop(0.5, false, patience, 0.0);
        let text = serde_json::to_string(&stopping).unwrap();
        let mut again: EarlyStopping = serde_json::from_str(&text).unwrap();
        assert_eq!(again, stopping);
        assert!(again.should_stop(0.4, false, patience, 0.0));
    }
}
