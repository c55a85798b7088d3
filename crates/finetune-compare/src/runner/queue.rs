//! Where the jobs of a runner come from.

use super::{End, Job};
use crate::CompareError;

/// Hands out jobs while others are being done.
pub trait Queue {
    /// Returns the next job, or `None` while there is none.
    ///
    /// # Errors
    /// An error ends the runner, and the jobs that are being done.
    fn next(&mut self) -> Result<Option<Job>, CompareError>;

    /// Takes note of the end of a job.
    ///
    /// # Errors
    /// An error ends the runner, and the jobs that are being done.
    fn ended(&mut self, job: &Job, end: &End) -> Result<(), CompareError>;
}

/// Jobs that are known beforehand, in their order.
pub(super) struct List<'a> {
    left: std::slice::Iter<'a, Job>,
}

impl<'a> List<'a> {
    pub(super) fn new(jobs: &'a [Job]) -> Self {
        Self { left: jobs.iter() }
    }
}

impl Queue for List<'_> {
    fn next(&mut self) -> Result<Option<Job>, CompareError> {
        Ok(self.left.next().cloned())
    }

    fn ended(&mut self, _job: &Job, _end: &End) -> Result<(), CompareError> {
        Ok(())
    }
}
