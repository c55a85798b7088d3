//! The batches of an epoch: rows, or pairs of rows.

use std::num::NonZeroUsize;

use finetune_data::{Batches, Sampler, SamplerOptions, TokenizedDataset};

use crate::{
    Epochs, Strategy, TrainError, TrainPlan,
    step::contrastive::pairs::{PairOrder, Pairs},
};

/// Divides each epoch into batches.
#[derive(Debug)]
pub(crate) enum Order {
    /// Every row once.
    Rows(Box<Sampler>),
    /// Pairs of rows, one after the other.
    Pairs {
        pairs: Pairs,
        /// Number of pairs in a batch.
        batch: usize,
    },
}

impl Order {
    /// Creates the order of a plan on the given rows.
    ///
    /// # Errors
    /// Fails if a batch would be empty, if a class has too few rows for pairs, or if the rows cannot be
    /// read.
    pub fn new(plan: &TrainPlan, data: &TokenizedDataset) -> Result<Self, TrainError> {
        let optimization = &plan.optimization;
        if plan.model.strategy == Strategy::Contrastive {
            return Ok(Self::Pairs {
                pairs: Pairs::new(plan, data)?,
                batch: optimization.batch_rows(plan.data.max_length),
            });
        }
        let options = SamplerOptions {
            batch: optimization.batch,
            seed: plan.seed,
            shuffle: true,
            length_buckets: optimization.length_buckets.map(NonZeroUsize::get),
        };
        Ok(Self::Rows(Box::new(Sampler::new(data, options)?)))
    }

    /// Counts the steps of each epoch.
    ///
    /// # Errors
    /// Fails with [`TrainError::NoRows`] if an epoch is empty, or if the lengths of the rows cannot be read.
    pub fn epochs(&self, plan: &TrainPlan) -> Result<Epochs, TrainError> {
        let (pairs, batch) = match self {
            Self::Rows(sampler) => return Epochs::count(plan, sampler),
            Self::Pairs { pairs, batch } => (pairs, *batch as u64),
        };
        let accumulation = plan.optimization.gradient_accumulation_steps as u64;
        match pairs.per_epoch().div_ceil(batch).div_ceil(accumulation) {
            0 => Err(TrainError::NoRows),
            steps => Ok(Epochs::Even(steps)),
        }
    }

    /// Returns the batches of an epoch.
    ///
    /// # Errors
    /// Fails if there are more rows or pairs than can be shuffled.
    pub fn epoch(&self, epoch: u64) -> Result<EpochBatches<'_>, TrainError> {
        Ok(match self {
            Self::Rows(sampler) => EpochBatches::Rows(Box::new(sampler.epoch(epoch)?)),
            Self::Pairs { pairs, batch } => EpochBatches::Pairs {
                order: pairs.of_epoch(epoch)?,
                next: 0,
                end: pairs.per_epoch(),
                batch: *batch as u64,
            },
        })
    }

    /// Returns the share of padding that packing avoids in the first epoch; `None` for pairs, which are
    /// too many to read the lengths of.
    ///
    /// # Errors
    /// Fails if the lengths of the rows cannot be read.
    pub fn padding_avoided(&self) -> Result<Option<f64>, TrainError> {
        match self {
            Self::Rows(sampler) => Ok(Some(sampler.padding(0)?.avoided())),
            Self::Pairs { .. } => Ok(None),
        }
    }

    /// Returns the number of pairs in an epoch, if there are pairs.
    pub fn pairs_per_epoch(&self) -> Option<u64> {
        match self {
            Self::Rows(_) => None,
            Self::Pairs { pairs, .. } => Some(pairs.per_epoch()),
        }
    }
}

/// An iterator over the batches of an epoch; each item holds the row numbers of a batch.
#[derive(Debug)]
pub(crate) enum EpochBatches<'a> {
    Rows(Box<Batches>),
    Pairs {
        order: PairOrder<'a>,
        /// The first pair of the next batch.
        next: u64,
        /// Number of pairs.
        end: u64,
        /// Number of pairs in a batch.
        batch: u64,
    },
}

impl Iterator for EpochBatches<'_> {
    type Item = Result<Vec<u64>, TrainError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Rows(batches) => Some(batches.next()?.map_err(TrainError::from)),
            Self::Pairs {
                order,
                next,
                end,
                batch,
            } => {
                let pairs = *next..(*end).min(*next + *batch);
                *next = pairs.end;
                let rows: Vec<_> = pairs.flat_map(|pair| order.get(pair)).collect();
                (!rows.is_empty()).then_some(Ok(rows))
            }
        }
    }
}
