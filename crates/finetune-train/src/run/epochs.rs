//! How many optimizer steps each epoch has.

use finetune_data::{BatchSize, Sampler};

use crate::{RunLength, TrainError, TrainPlan};

/// Where epochs end, counted in optimizer steps.
#[derive(Debug)]
pub(crate) enum Epochs {
    /// All have as many steps.
    Even(u64),
    /// The number of steps up to the end of each epoch that the run comes to: with a token budget
    /// they depend on the order of the rows.
    Ends(Vec<u64>),
}

impl Epochs {
    /// Counts the steps of `accumulation` batches. Of batches by tokens each epoch of the run is
    /// gone through, which reads the length of every row.
    pub fn count(plan: &TrainPlan, sampler: &Sampler) -> Result<Self, TrainError> {
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

    /// Steps of so many epochs. A part of an epoch is that share of its steps, rounded up.
    pub fn steps_of(&self, epochs: f64) -> u64 {
        match self {
            Self::Even(steps) => (epochs * *steps as f64).ceil() as u64,
            Self::Ends(_) => {
                let (whole, part) = (epochs as u64, epochs.fract());
                let (start, steps) = self.epoch(whole);
                // The part is not exact: 2.2 has one of 0.2000…02.
                start + (part * steps as f64 - 1e-9).ceil() as u64
            }
        }
    }

    /// The epoch that step `step`, from 0, belongs to, and the steps done in it.
    pub fn position(&self, step: u64) -> (u64, u64) {
        match self {
            Self::Even(steps) => (step / steps, step % steps),
            Self::Ends(ends) => {
                let epoch = ends.partition_point(|&end| end <= step) as u64;
                (epoch, step - self.epoch(epoch).0)
            }
        }
    }

    /// Epochs done after `step` steps, with the fraction of the current one.
    pub fn done(&self, step: u64) -> f64 {
        match self {
            Self::Even(steps) => step as f64 / *steps as f64,
            Self::Ends(_) => {
                let (epoch, done) = self.position(step);
                epoch as f64 + done as f64 / self.epoch(epoch).1 as f64
            }
        }
    }

    /// Whether an epoch ends with the `step`-th step.
    pub fn end_at(&self, step: u64) -> bool {
        match self {
            Self::Even(steps) => step.is_multiple_of(*steps),
            Self::Ends(ends) => ends.binary_search(&step).is_ok(),
        }
    }

    /// Steps of an epoch, on average.
    pub fn mean_steps(&self) -> f64 {
        match self {
            Self::Even(steps) => *steps as f64,
            Self::Ends(ends) => ends.last().copied().unwrap_or(1) as f64 / ends.len() as f64,
        }
    }

    /// Steps before an epoch, and its own; beyond those counted each is taken to be like the last.
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

    /// Of 10, 12 and 11 steps.
    fn uneven() -> Epochs {
        Epochs::Ends(vec![10, 22, 33])
    }

    #[test]
    fn whole_epochs_and_parts() {
        let steps = [0.5, 1.0, 1.5, 2.0, 2.2, 3.0].map(|epochs| uneven().steps_of(epochs));
        assert_eq!(steps, [5, 10, 16, 22, 25, 33]);
        let steps = [0.1, 1.0, 2.3].map(|epochs| Epochs::Even(63).steps_of(epochs));
        assert_eq!(steps, [7, 63, 145]);
        // 2.2 - 2.0 is more than 0.2, and 0.2 of 20 is 4.
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
        // Equal epochs, counted or not, are the same.
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
