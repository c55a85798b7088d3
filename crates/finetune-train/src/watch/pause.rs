//! A point at which a run pauses, to be resumed later.

use std::num::NonZeroU64;

/// Where a run pauses. Nothing of its plan depends on that, so that the run is the same with pauses or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PausePoint {
    /// After this many optimizer steps.
    Step(NonZeroU64),
    /// After this many epochs.
    Epoch(NonZeroU64),
}

impl PausePoint {
    /// Returns whether a run that has done `step` steps, which are `epochs` epochs, has come to the point.
    pub fn is_reached(self, step: u64, epochs: f64) -> bool {
        match self {
            Self::Step(point) => step >= point.get(),
            // The epochs of a step are a quotient.
            Self::Epoch(point) => epochs >= point.get() as f64 - 1e-9,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_reached_and_stays_so() {
        let three = NonZeroU64::new(3).unwrap();
        let reached = |point: PausePoint| {
            [(2, 2.9), (3, 3.0 - 1e-12), (4, 4.0)]
                .map(|(step, epochs)| point.is_reached(step, epochs))
        };
        assert_eq!(reached(PausePoint::Step(three)), [false, true, true]);
        assert_eq!(reached(PausePoint::Epoch(three)), [false, true, true]);
    }
}
