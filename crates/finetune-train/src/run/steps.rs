//! The relation between epochs, batches and optimizer steps.

use finetune_data::TokenizedDataset;

use crate::{
    Epochs, Moment, RunLength, Schedule, Strategy, TrainError, TrainPlan,
    run::order::{EpochBatches, Order},
};

/// The steps of a run. Each step takes `accumulation` batches; the last step of an epoch takes the
/// remaining ones.
#[derive(Debug)]
pub struct Steps {
    order: Order,
    accumulation: usize,
    epochs: Epochs,
    /// Number of optimizer steps in the run.
    pub total: u64,
}

impl Steps {
    /// Computes the steps of `plan` on the given rows.
    ///
    /// # Errors
    /// Fails if there are no rows, or if their lengths cannot be read.
    pub fn new(plan: &TrainPlan, data: &TokenizedDataset) -> Result<Self, TrainError> {
        let order = Order::new(plan, data)?;
        let epochs = order.epochs(plan)?;
        let total = match plan.optimization.length {
            _ if plan.model.strategy == Strategy::Features => 0,
            RunLength::Epochs(number) => epochs.steps_of(number).max(1),
            RunLength::Steps(steps) => steps.get(),
        };
        Ok(Self {
            order,
            accumulation: plan.optimization.gradient_accumulation_steps,
            epochs,
            total,
        })
    }

    /// Returns the share of padding that packing avoids in the first epoch, from 0 to 1; `None` for pairs.
    ///
    /// # Errors
    /// Fails if the lengths of the rows cannot be read.
    pub(crate) fn padding_avoided(&self) -> Result<Option<f64>, TrainError> {
        self.order.padding_avoided()
    }

    /// Returns the number of pairs in an epoch, if rows are paired.
    pub(crate) fn pairs_per_epoch(&self) -> Option<u64> {
        self.order.pairs_per_epoch()
    }

    /// Returns the learning rates of the steps.
    ///
    /// # Errors
    /// Fails if the plan's schedule is invalid.
    pub fn schedule(&self, plan: &TrainPlan) -> Result<Schedule, TrainError> {
        let warmup = plan.optimization.warmup.steps(self.total);
        // Strategy `features` takes no steps, but a schedule needs at least one.
        let total = self.total.max(1);
        let schedule = Schedule::new(
            &plan.optimization.schedule,
            plan.optimization.learning_rate,
            warmup,
            total,
        )?;
        Ok(schedule.with_epochs(self.epochs.clone()))
    }

    /// Returns the number of optimizer steps per epoch, averaged if epochs differ.
    pub fn per_epoch(&self) -> f64 {
        self.epochs.mean_steps()
    }

    /// Returns how many times each row is used.
    pub fn passes(&self) -> f64 {
        self.epochs(self.total)
    }

    /// Returns the number of epochs done after `step` steps, including the fraction of the current one.
    pub fn epochs(&self, step: u64) -> f64 {
        self.epochs.done(step)
    }

    /// Returns the epoch, from 0, that contains step `step`.
    pub fn epoch(&self, step: u64) -> u64 {
        self.epochs.position(step).0
    }

    /// Returns the moment after `step` steps; `last` says whether the run ends there.
    pub fn moment(&self, step: u64, last: bool) -> Moment {
        Moment {
            step,
            epoch_ends: self.epochs.end_at(step),
            last,
        }
    }

    /// Returns the number of the forward pass of batch `index` in step `step`, counted over the whole
    /// run. Dropout depends on it, so it must not depend on where a run was resumed.
    pub fn forward_pass(&self, step: u64, index: usize) -> u32 {
        (step * self.accumulation as u64 + index as u64) as u32
    }

    /// Returns the row numbers of all steps from `step` on.
    ///
    /// # Errors
    /// Fails if the lengths of the rows cannot be read.
    pub fn from(&self, step: u64) -> Result<StepRows<'_>, TrainError> {
        let (epoch, done) = self.epochs.position(step);
        let mut batches = self.order.epoch(epoch)?;
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

/// An iterator over the steps of a run; each item holds the row numbers of the step's batches.
#[derive(Debug)]
pub struct StepRows<'a> {
    steps: &'a Steps,
    epoch: u64,
    batches: EpochBatches<'a>,
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
        self.batches = self.steps.order.epoch(self.epoch)?;
        self.batches.by_ref().take(take).collect()
    }
}

impl Iterator for StepRows<'_> {
    type Item = Result<Vec<Vec<u64>>, TrainError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        Some(self.next_step())
    }
}
