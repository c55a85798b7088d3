//! How epochs, batches and optimizer steps relate.

use finetune_data::{BatchSize, Batches, Sampler, SamplerOptions, TokenizedDataset};

use crate::{Moment, Schedule, TrainError, TrainPlan};

/// The steps of a run. One step takes `accumulation` batches; the last of an epoch takes what is
/// left.
#[derive(Debug)]
pub struct Steps {
    sampler: Sampler,
    accumulation: usize,
    /// Optimizer steps of an epoch.
    pub per_epoch: u64,
    /// Optimizer steps of the run.
    pub total: u64,
}

impl Steps {
    /// The steps of `plan` on these rows.
    pub fn new(plan: &TrainPlan, data: &TokenizedDataset) -> Result<Self, TrainError> {
        let options = SamplerOptions {
            batch: BatchSize::Rows(plan.batch_size),
            seed: plan.seed,
            shuffle: true,
            length_buckets: (plan.length_buckets > 0).then_some(plan.length_buckets),
        };
        let sampler = Sampler::new(data, options)?;
        let accumulation = plan.gradient_accumulation_steps;
        let per_epoch = sampler.num_batches(0)?.div_ceil(accumulation as u64);
        Ok(Self {
            sampler,
            accumulation,
            per_epoch,
            total: plan.total_steps(per_epoch),
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
            steps => steps.min(self.total),
        };
        // Strategy `features` takes no step, but a schedule has one.
        let total = self.total.max(1);
        Schedule::new(&plan.schedule, plan.learning_rate, warmup, total)
    }

    /// Times that each row is used.
    pub fn passes(&self) -> f64 {
        self.total as f64 / self.per_epoch as f64
    }

    /// Epochs done after `step` steps, with the fraction of the current one.
    pub fn epochs(&self, step: u64) -> f64 {
        step as f64 / self.per_epoch as f64
    }

    /// What may be due after `step` steps, when the run ends here or not.
    pub fn moment(&self, step: u64, last: bool) -> Moment {
        Moment {
            step,
            epoch_ends: step.is_multiple_of(self.per_epoch),
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
        let (epoch, done) = (step / self.per_epoch, step % self.per_epoch);
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
