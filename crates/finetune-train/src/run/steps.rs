//! How epochs, batches and optimizer steps relate.

use finetune_data::{BatchSize, Batches, Sampler, SamplerOptions, TokenizedDataset};

use crate::{Epochs, Moment, Schedule, Strategy, TrainError, TrainPlan};

/// The steps of a run. One step takes `accumulation` batches; the last of an epoch takes what is
/// left.
#[derive(Debug)]
pub struct Steps {
    sampler: Sampler,
    accumulation: usize,
    epochs: Epochs,
    /// Optimizer steps of the run.
    pub total: u64,
}

impl Steps {
    /// The steps of `plan` on these rows.
    pub fn new(plan: &TrainPlan, data: &TokenizedDataset) -> Result<Self, TrainError> {
        let options = SamplerOptions {
            batch: match plan.batch_tokens {
                0 => BatchSize::Rows(plan.batch_size),
                tokens => BatchSize::Tokens(tokens),
            },
            seed: plan.seed,
            shuffle: true,
            length_buckets: (plan.length_buckets > 0).then_some(plan.length_buckets),
        };
        let sampler = Sampler::new(data, options)?;
        let epochs = Epochs::count(plan, &sampler)?;
        let total = match plan.max_steps {
            _ if plan.strategy == Strategy::Features => 0,
            0 => epochs.steps_of(plan.epochs).max(1),
            steps => steps,
        };
        Ok(Self {
            sampler,
            accumulation: plan.gradient_accumulation_steps,
            epochs,
            total,
        })
    }

    /// The batches' sampler.
    pub fn sampler(&self) -> &Sampler {
        &self.sampler
    }

    /// The learning rates of the steps.
    pub fn schedule(&self, plan: &TrainPlan) -> Result<Schedule, TrainError> {
        let warmup = match plan.warmup_steps {
            0 => (self.total as f64 * plan.warmup_ratio).ceil() as u64,
            // More than the run has: it keeps rising to the end, as in transformers.
            steps => steps,
        };
        // Strategy `features` takes no step, but a schedule has one.
        let total = self.total.max(1);
        Schedule::new(&plan.schedule, plan.learning_rate, warmup, total)
    }

    /// Optimizer steps of an epoch: the number, or the mean where epochs differ.
    pub fn per_epoch(&self) -> f64 {
        self.epochs.mean_steps()
    }

    /// Times that each row is used.
    pub fn passes(&self) -> f64 {
        self.epochs(self.total)
    }

    /// Epochs done after `step` steps, with the fraction of the current one.
    pub fn epochs(&self, step: u64) -> f64 {
        self.epochs.done(step)
    }

    /// What may be due after `step` steps, when the run ends here or not.
    pub fn moment(&self, step: u64, last: bool) -> Moment {
        Moment {
            step,
            epoch_ends: self.epochs.end_at(step),
            last,
        }
    }

    /// The forward pass of batch `index` of step `step`, counted over the run. Dropout depends on
    /// it, so it must not depend on where a run was resumed.
    pub fn forward_pass(&self, step: u64, index: usize) -> u32 {
        (step * self.accumulation as u64 + index as u64) as u32
    }

    /// The row numbers of the steps from `step` on: of each its epoch and its batches.
    pub fn from(&self, step: u64) -> Result<StepRows<'_>, TrainError> {
        let (epoch, done) = self.epochs.position(step);
        let mut batches = self.sampler.epoch(epoch)?;
        for batch in batches.by_ref().take(done as usize * self.accumulation) {
            batch?;
        }
        Ok(StepRows {
            steps: self,
            epoch,
            batches,
            left: self.total.saturating_sub(step),
        })
    }
}

/// The steps of a run as an iterator over the row numbers of their batches.
#[derive(Debug)]
pub struct StepRows<'a> {
    steps: &'a Steps,
    epoch: u64,
    batches: Batches,
    left: u64,
}

impl StepRows<'_> {
    fn next_step(&mut self) -> Result<Vec<Vec<u64>>, TrainError> {
        let take = self.steps.accumulation;
        let group: Vec<_> = self.batches.by_ref().take(take).collect::<Result<_, _>>()?;
        if !group.is_empty() {
            return Ok(group);
        }
        self.epoch += 1;
        self.batches = self.steps.sampler.epoch(self.epoch)?;
        Ok(self.batches.by_ref().take(take).collect::<Result<_, _>>()?)
    }
}

impl Iterator for StepRows<'_> {
    type Item = Result<Vec<Vec<u64>>, TrainError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        Some(self.next_step())
    }
}
