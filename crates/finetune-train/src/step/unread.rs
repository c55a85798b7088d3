//! The steps whose losses and gradient norms are still on the device.
//!
//! Reading a number from a GPU waits until it has caught up with the program, and leaves it idle until the
//! program has prepared more work. So the figures of several steps are read at once.

use std::time::{Duration, Instant};

use finetune_data::PackedBatch;
use finetune_infer::Workers;
use finetune_kernels::Factor;

use crate::{BatchLosses, StepFacts, step::losses::numbers};

/// Number of steps after which figures are read.
const MOST_STEPS: usize = 16;
/// Time after which figures are read, so that a progress bar moves.
const LONGEST: Duration = Duration::from_millis(500);

/// A step that has been handed to the device.
#[derive(Debug)]
struct Taken {
    losses: BatchLosses,
    norm: Factor,
    learning_rate: f64,
    rows: Vec<u64>,
    tokens: u64,
}

/// The steps whose figures have not been read, in their order.
#[derive(Debug)]
pub(crate) struct Unread {
    /// Whether figures have to be waited for.
    asynchronous: bool,
    steps: Vec<Taken>,
    /// When the first of the steps began.
    since: Instant,
}

impl Unread {
    /// Prepares for the steps of a session.
    pub fn new(workers: Workers) -> Self {
        Self {
            asynchronous: workers.are_asynchronous(),
            steps: Vec::new(),
            since: Instant::now(),
        }
    }

    /// Returns the number of steps.
    pub fn count(&self) -> u64 {
        self.steps.len() as u64
    }

    /// Adds a step that began at `started`.
    pub fn push(
        &mut self,
        losses: BatchLosses,
        norm: Factor,
        learning_rate: f64,
        batches: &[PackedBatch],
        started: Instant,
    ) {
        if self.steps.is_empty() {
            self.since = started;
        }
        let rows = batches.iter().flat_map(|batch| &batch.rows).copied();
        self.steps.push(Taken {
            losses,
            norm,
            learning_rate,
            rows: rows.collect(),
            tokens: batches.iter().map(|batch| batch.num_tokens() as u64).sum(),
        });
    }

    /// Returns whether the figures should be read now: on the CPU after each step, elsewhere after several.
    pub fn is_due(&self) -> bool {
        let many = self.steps.len() >= MOST_STEPS || self.since.elapsed() >= LONGEST;
        !self.asynchronous || many
    }

    /// Waits for the device and returns the figures of the steps, which share the time equally.
    pub fn read(&mut self) -> Vec<StepFacts> {
        let steps = std::mem::take(&mut self.steps);
        let tensors = steps.iter().flat_map(|step| {
            let norm = match &step.norm {
                Factor::Host(_) => None,
                Factor::Device(norm) => Some(norm),
            };
            step.losses.tensors().iter().chain(norm)
        });
        let mut numbers = numbers(tensors).into_iter();
        let seconds = self.since.elapsed().as_secs_f64() / steps.len().max(1) as f64;
        let facts = steps.into_iter().map(|step| {
            let losses = step.losses.tensors().len();
            let loss = numbers
                .by_ref()
                .take(losses)
                .fold(0.0, |sum, loss| sum + loss);
            let grad_norm = match step.norm {
                Factor::Host(norm) => norm,
                Factor::Device(_) => numbers.next().unwrap_or(f64::NAN),
            };
            StepFacts {
                loss,
                learning_rate: step.learning_rate,
                grad_norm,
                rows: step.rows,
                tokens: step.tokens,
                seconds,
            }
        });
        facts.collect()
    }
}

#[cfg(test)]
mod tests {
    use burn::{Tensor, tensor::Device};

    use super::*;

    fn number(value: f32) -> Tensor<1> {
        Tensor::from_floats([value], &Device::flex())
    }

    fn losses(values: &[f32]) -> BatchLosses {
        let mut losses = BatchLosses::default();
        values.iter().for_each(|value| losses.push(number(*value)));
        losses
    }

    /// No time passes for these steps.
    fn later() -> Instant {
        Instant::now() + Duration::from_secs(3600)
    }

    #[test]
    fn figures_are_read_in_the_order_of_the_steps() {
        let mut unread = Unread {
            asynchronous: true,
            steps: Vec::new(),
            since: later(),
        };
        for step in 0..MOST_STEPS {
            assert!(!unread.is_due());
            assert_eq!(unread.count(), step as u64);
            let value = step as f32;
            let (losses, norm) = match step % 3 {
                // A step without masked tokens has neither.
                0 => (losses(&[]), Factor::Host(0.0)),
                1 => (losses(&[value]), Factor::Device(number(2.0 * value))),
                _ => (losses(&[value, 0.5]), Factor::Device(number(f32::NAN))),
            };
            unread.push(losses, norm, 0.1 * step as f64, &[], later());
        }
        assert!(unread.is_due());
        let read = unread.read();
        assert_eq!((read.len(), unread.count()), (MOST_STEPS, 0));
        for (step, facts) in read.iter().enumerate() {
            let value = step as f64;
            assert_eq!(facts.learning_rate, 0.1 * value);
            match step % 3 {
                0 => assert_eq!((facts.loss, facts.grad_norm), (0.0, 0.0)),
                1 => assert_eq!((facts.loss, facts.grad_norm), (value, 2.0 * value)),
                _ => assert!(facts.loss == value + 0.5 && facts.grad_norm.is_nan()),
            }
        }
    }

    #[test]
    fn figures_that_are_there_are_read_after_each_step() {
        let unread = Unread::new(Workers::of(&Device::flex()));
        assert!(unread.is_due());
    }
}
