//! Estimates how long a run takes.

use std::time::Duration;

use indicatif::HumanDuration;

use crate::view::progress::count;

/// Seconds of steps after which the speed is known, since the first steps are slower.
const KNOWN_AFTER: f64 = 5.0;
/// Shorter runs, in seconds, are not worth a note.
const LONG: f64 = 30.0;

/// Measures the first steps of a run on all rows of a data set.
#[derive(Debug, Default)]
pub struct Estimate {
    /// Number of training rows; 0 until the run starts.
    pub train_rows: u64,
    /// Whether they are compared in pairs.
    pub pairs: bool,
    steps: u64,
    seconds: f64,
}

impl Estimate {
    /// Adds a step, and returns whether the speed is known now.
    pub fn add(&mut self, seconds: f64) -> bool {
        self.steps += 1;
        self.seconds += seconds;
        self.seconds >= KNOWN_AFTER
    }

    /// Returns a note on a run of `total` steps if it takes long.
    pub fn note(&self, total: u64) -> Option<String> {
        let seconds = self.seconds / self.steps.max(1) as f64 * total as f64;
        // Resumed runs do not report their number of rows.
        (seconds >= LONG && self.train_rows > 0).then(|| {
            let fewer = match self.pairs {
                true => "compare fewer pairs with --set contrastive.max_pairs=N",
                false => "use fewer rows with --train-rows N",
            };
            format!(
                "training on all {} rows: {} steps take about {}, not counting evaluations; {fewer}",
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
    fn a_long_run_is_noted_once_its_speed_is_known() {
        let mut estimate = Estimate {
            train_rows: 5_000_000,
            ..Estimate::default()
        };
        for _ in 0..9 {
            assert!(!estimate.add(0.5));
        }
        assert!(estimate.add(0.5));
        let note = estimate.note(937_500).unwrap();
        for part in ["5,000,000", "937,500 steps", "5 days", "--train-rows N"] {
            assert!(note.contains(part), "no {part:?} in {note}");
        }
        assert_eq!(estimate.note(20), None);
    }
}
