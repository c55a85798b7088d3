//! The number of optimizer steps in each epoch.

use finetune_data::{BatchSize, Sampler};

use crate::{RunLength, TrainError, TrainPlan};

/// The ends of the epochs, counted in optimizer steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Epochs {
    /// All epochs have this number of steps.
    Even(u64),
    /// The number of steps up to the end of each epoch of the run. With a token budget it depends on
    /// the order of the rows.
    Ends(Vec<u64>),
}

impl Epochs {
    /// Counts the steps. For batches limited by tokens this goes through every epoch of the run, which
    /// reads the length of every row.
    ///
    /// # Errors
    /// Fails with [`TrainError::NoRows`] if an epoch is empty, or if the lengths of the rows cannot be read.
    pub(crate) fn count(plan: &TrainPlan, sampler: &Sampler) -> Result<Self, TrainError> {
        let accumulation = plan.optimization.gradient_accumulation_steps as u64;
        let steps = |epoch| match sampler.num_batches(epoch)?.div_ceil(accumulation) {
            0 => Err(TrainError::NoRows),
            steps => Ok(steps),
        };
        if let BatchSize::Rows(_) = sampler.options().batch {
            return steps(0).map(Self::Even);
        }
        let mut ends = vec![steps(0)?];
        loop {
            let (epochs, end) = (ends.len() as u64, ends[ends.len() - 1]);
            let enough = match plan.optimization.length {
                RunLength::Epochs(number) => epochs as f64 >= number,
                RunLength::Steps(total) => end >= total.get(),
            };
            if enough {
                return Ok(Self::Ends(ends));
            }
            ends.push(end + steps(epochs)?);
        }
    }

    /// Returns the number of steps in `epochs` epochs. A fraction of an epoch is that fraction of its
    /// steps, rounded up.
    pub fn steps_of(&self, epochs: f64) -> u64 {
        match self {
            Self::Even(steps) => (epochs * *steps as f64).ceil() as u64,
            Self::Ends(_) => {
                let (whole, part) = (epochs as u64, epochs.fract());
                let (start, steps) = self.epoch(whole);
                // The fraction is not exact: that of 2.2 is 0.2000…02.
                start + (part * steps as f64 - 1e-9).ceil() as u64
            }
        }
    }

    /// Returns the epoch that contains step `step`, from 0, and the number of its steps done before.
    pub fn position(&self, step: u64) -> (u64, u64) {
        match self {
            Self::Even(steps) => (step / steps, step % steps),
            Self::Ends(ends) => {
                let epoch = ends.partition_point(|&end| end <= step) as u64;
                (epoch, step - self.epoch(epoch).0)
            }
        }
    }

    /// Returns the number of epochs done after `step` steps, including the fraction of the current one.
    pub fn done(&self, step: u64) -> f64 {
        match self {
            Self::Even(steps) => step as f64 / *steps as f64,
            Self::Ends(_) => {
                let (epoch, done) = self.position(step);
                epoch as f64 + done as f64 / self.epoch(epoch).1 as f64
            }
        }
    }

    /// Returns whether an epoch ends after `step` steps.
    pub fn end_at(&self, step: u64) -> bool {
        match self {
            Self::Even(steps) => step.is_multiple_of(*steps),
            Self::Ends(ends) => ends.binary_search(&step).is_ok(),
        }
    }

    /// Returns the mean number of steps per epoch.
    pub fn mean_steps(&self) -> f64 {
        match self {
            Self::Even(steps) => *steps as f64,
            Self::Ends(ends) => ends.last().copied().unwrap_or(1) as f64 / ends.len() as f64,
        }
    }

    /// Returns the number of steps before an epoch, and in it. An epoch beyond those counted is assumed
    /// to equal the last one.
    fn epoch(&self, epoch: u64) -> (u64, u64) {
        match self {
            Self::Even(steps) => (epoch * steps, *steps),
            Self::Ends(ends) => {
                let last = ends.len().saturating_sub(1);
                let end = |epoch: usize| ends.get(epoch).copied().unwrap_or(0);
                let index = last.min(epoch as usize);
                let start = index.checked_sub(1).map_or(0, end);
                let steps = end(index) - start;
                (start + (epoch - index as u64) * steps, steps)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Epochs of 10, 12 and 11 steps.
    fn uneven() -> Epochs {
        Epochs::Ends(vec![10, 22, 33])
    }

    #[test]
    fn whole_epochs_and_parts() {
        let steps = [0.5, 1.0, 1.5, 2.0, 2.2, 3.0].map(|epochs| uneven().steps_of(epochs));
        assert_eq!(steps, [5, 10, 16, 22, 25, 33]);
        let steps = [0.1, 1.0, 2.3].map(|epochs| Epochs::Even(63).steps_of(epochs));
        assert_eq!(steps, [7, 63, 145]);
        // The fraction of 2.2 is slightly more than 0.2, but 0.2 of 20 steps must be 4.
        assert_eq!(Epochs::Ends(vec![20, 40, 60]).steps_of(2.2), 44);
    }

    #[test]
    fn steps_know_their_epoch() {
        let uneven = uneven();
        let positions = [0, 9, 10, 21, 22, 32].map(|step| uneven.position(step));
        assert_eq!(
            positions,
            [(0, 0), (0, 9), (1, 0), (1, 11), (2, 0), (2, 10)]
        );
        let done = [0, 5, 10, 16, 33].map(|step| uneven.done(step));
        assert_eq!(done, [0.0, 0.5, 1.0, 1.5, 3.0]);
        let ends: Vec<_> = (1..=33).filter(|&step| uneven.end_at(step)).collect();
        assert_eq!(ends, [10, 22, 33]);
        assert_eq!(uneven.mean_steps(), 11.0);
        // Equal epochs give the same results in both forms.
        let (even, counted) = (Epochs::Even(7), Epochs::Ends(vec![7, 14, 21]));
        for step in 1..28 {
            assert_eq!(even.position(step), counted.position(step), "{step}");
            assert!(
                (even.done(step) - counted.done(step)).abs() < 1e-12,
                "{step}"
            );
            assert_eq!(even.end_at(step) && step <= 21, counted.end_at(step));
        }
    }
}
