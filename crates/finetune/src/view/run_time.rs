//! How long a run takes, said once its speed is known.

use std::time::Duration;

use indicatif::HumanDuration;

use crate::view::progress::count;

/// Time of steps after which the speed is known: beyond the first ones, which are slower.
const KNOWN_AFTER: f64 = 5.0;
/// Shorter runs are over before anybody would change them.
const LONG: f64 = 30.0;

/// Measures the first steps of a run on all rows of a data set.
#[derive(Debug, Default)]
pub struct Estimate {
    /// Rows of the training set; 0 until the run says.
    pub train_rows: u64,
    steps: u64,
    seconds: f64,
}

impl Estimate {
    /// Counts a step; whether the speed is known now.
    pub fn add(&mut self, seconds: f64) -> bool {
        self.steps += 1;
        self.seconds += seconds;
        self.seconds >= KNOWN_AFTER
    }

    /// What to say of a run of `total` steps, if it takes long.
    pub fn said(&self, total: u64) -> Option<String> {
        let seconds = self.seconds / self.steps.max(1) as f64 * total as f64;
        // Resumed runs do not say how many rows they have.
        (seconds >= LONG && self.train_rows > 0).then(|| {
            format!(
                "all {} training rows are trained on: {} steps take about {}, beside evaluations; --train-rows N draws fewer",
                count(self.train_rows),
                count(total),
                HumanDuration(Duration::from_secs_f64(seconds.min(1e12))),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_says_its_time_once_its_speed_is_known() {
        let mut estimate = Estimate {
            train_rows: 5_000_000,
            ..Estimate::default()
        };
        for _ in 0..9 {
            assert!(!estimate.add(0.5));
        }
        assert!(estimate.add(0.5));
        let said = estimate.said(937_500).unwrap();
        for part in ["5,000,000", "937,500 steps", "5 days", "--train-rows N"] {
            assert!(said.contains(part), "no {part:?} in {said}");
        }
        assert_eq!(estimate.said(20), None);
    }
}
