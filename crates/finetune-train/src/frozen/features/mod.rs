//! The output of the frozen layers for each row, computed once and stored.
//!
//! If nothing at or below a layer is trained and dropout there is off, the input of the next layer is a
//! fixed function of the text. All rows are computed in one pass at the start, in batches that depend
//! only on the data, so every run and every resumed run gets the same bits.
//!
//! The pass is fixed because the last bits of a row may depend on its batch: Burn's matrix
//! multiplications take other paths for few rows, although ours for the CPU do not. For the same reason
//! a full disk is an error: falling back to computing could change the bits of the run.

pub(crate) mod disk;
mod layout;

use std::path::Path;

use burn::{Tensor, module::Module, tensor::TensorData};
use finetune_data::{BatchSize, PackedBatch, Sampler, SamplerOptions, TokenizedDataset};
use finetune_kernels::{Offsets, PackedTokens, values_of};
use finetune_models::{ModelConfig, SequenceClassifier};
use serde::Serialize;

use self::{
    disk::DiskFloats,
    layout::{Layout, Place},
};
use super::layers::FrozenLayers;
use crate::{FeatureLimits, TrainError};

/// Tokens per batch of the filling pass: enough for efficient matrix multiplications, few enough to
/// keep the widest layer's buffers small.
const FILL_TOKENS: usize = 2048;
/// Number of batches whose rows are sorted by length together, since attention pads to the longest row
/// of a batch.
const FILL_BUCKETS: usize = 32;

/// The amount of stored features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FeatureReport {
    /// Number of rows in memory.
    pub memory_rows: u64,
    /// Number of rows on disk.
    pub disk_rows: u64,
    /// Number of rows beyond both limits, which are computed each time.
    pub computed_rows: u64,
    /// Number of bytes in memory.
    pub memory_bytes: u64,
    /// Number of bytes on disk.
    pub disk_bytes: u64,
}

/// The features of the rows of a data set: the input of the first layer that is not frozen, or, if all
/// are, what the head reads.
#[derive(Debug)]
pub struct FeatureStore {
    layers: usize,
    one_per_row: bool,
    layout: Layout,
    memory: Vec<f32>,
    disk: Option<DiskFloats>,
}

impl FeatureStore {
    /// Returns the size in bytes of all rows' features below layer `layers`, before anything is
    /// computed.
    pub fn size_of(data: &TokenizedDataset, layers: usize, config: &ModelConfig) -> u64 {
        let vectors = match FrozenLayers::are_all(layers, config) {
            true => data.len(),
            false => data.total_tokens(),
        };
        4 * vectors * config.hidden_size as u64
    }

    /// Computes the features of the rows of `data` below layer `layers` of `model`, and stores as many
    /// as the limits allow: the first rows in memory, the next ones in an unnamed file in `directory`.
    /// `progress` receives the number of finished rows, and stops the pass by returning an error.
    ///
    /// # Errors
    /// Fails if disk or memory is insufficient, if the data do not fit the model, or if `progress`
    /// fails.
    pub fn fill(
        model: &SequenceClassifier,
        data: &TokenizedDataset,
        layers: usize,
        limits: FeatureLimits,
        directory: &Path,
        progress: &mut dyn FnMut(u64) -> Result<(), TrainError>,
    ) -> Result<Self, TrainError> {
        let layout = Layout::new(data, layers, model.config(), limits)?;
        let mut store = Self {
            layers,
            one_per_row: FrozenLayers::are_all(layers, model.config()),
            memory: zeros(layout.memory_floats())?,
            disk: match layout.disk_rows() {
                0 => None,
                _ => Some(DiskFloats::create(directory)?),
            },
            layout,
        };
        let kept = store.layout.memory_rows() + store.layout.disk_rows();
        let sampler = Sampler::new(
            data,
            SamplerOptions {
                batch: BatchSize::Tokens(FILL_TOKENS),
                seed: 0,
                shuffle: false,
                length_buckets: Some(FILL_BUCKETS),
            },
        )?;
        let model = model.valid();
        let mut done = 0;
        for rows in sampler.epoch(0)? {
            if done == kept {
                break;
            }
            let rows = rows?;
            let needed = rows.iter().filter(|&&row| row < kept).count() as u64;
            // A batch is computed entirely or not at all, so its bits do not depend on the limits.
            if needed > 0 {
                let batch = data.batch(&rows)?;
                store.put(&model, &batch)?;
                done += needed;
                progress(done)?;
            }
        }
        Ok(store)
    }

    /// Returns the number of encoder layers that produced the features.
    pub fn layers(&self) -> usize {
        self.layers
    }

    /// Returns how many rows are stored where.
    pub fn report(&self) -> FeatureReport {
        let (memory_rows, disk_rows) = (self.layout.memory_rows(), self.layout.disk_rows());
        FeatureReport {
            memory_rows,
            disk_rows,
            computed_rows: self.layout.rows() - memory_rows - disk_rows,
            memory_bytes: 4 * self.layout.memory_floats(),
            disk_bytes: 4 * self.layout.disk_floats(),
        }
    }

    /// Returns the features of a batch of the same data: `[tokens, hidden]`, or `[batch, hidden]`
    /// (what the head reads) if the whole encoder is frozen. Rows beyond the limits are computed together.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or the tokens do not fit the model.
    pub fn features(
        &self,
        model: &SequenceClassifier,
        batch: &PackedBatch,
    ) -> Result<Tensor<2>, TrainError> {
        let offsets = &batch.tokens.offsets;
        let places: Vec<Place> = batch
            .rows
            .iter()
            .map(|&row| self.layout.place(row))
            .collect();
        let absent: Vec<usize> = (0..places.len())
            .filter(|&index| places[index] == Place::Absent)
            .collect();
        if absent.len() == places.len() {
            return self.compute(model, &batch.tokens);
        }
        let hidden = model.config().hidden_size;
        let spans = self.spans(offsets, hidden);
        let mut values = vec![0.0; spans.last().map_or(0, |span| span.end)];
        for (place, span) in places.iter().zip(&spans) {
            match (place, &self.disk) {
                (Place::Memory(range), _) => {
                    values[span.clone()].copy_from_slice(&self.memory[range.clone()]);
                }
                (Place::Disk(first), Some(disk)) => disk.read(&mut values[span.clone()], *first)?,
                _ => {}
            }
        }
        if !absent.is_empty() {
            let computed = values_of(self.compute(model, &batch.tokens.select(&absent))?);
            let mut rest = computed.as_slice();
            for span in absent.iter().map(|&index| spans[index].clone()) {
                let (row, after) = rest.split_at(span.len());
                values[span].copy_from_slice(row);
                rest = after;
            }
        }
        let shape = [values.len() / hidden, hidden];
        let device = model.device();
        Ok(Tensor::from_data(TensorData::new(values, shape), &device))
    }

    /// Computes the rows of a batch, and stores those that the layout has a place for.
    fn put(&mut self, model: &SequenceClassifier, batch: &PackedBatch) -> Result<(), TrainError> {
        let computed = values_of(self.compute(model, &batch.tokens)?);
        let spans = self.spans(&batch.tokens.offsets, model.config().hidden_size);
        for (&row, span) in batch.rows.iter().zip(spans) {
            match (self.layout.place(row), &self.disk) {
                (Place::Memory(range), _) => self.memory[range].copy_from_slice(&computed[span]),
                (Place::Disk(first), Some(disk)) => disk.write(&computed[span], first)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn compute(
        &self,
        model: &SequenceClassifier,
        tokens: &PackedTokens,
    ) -> Result<Tensor<2>, TrainError> {
        let layers = self.layers;
        FrozenLayers { model, layers }.features(tokens)
    }

    /// Returns the range of floats of each row in a batch's features.
    fn spans(&self, offsets: &Offsets, hidden: usize) -> Vec<std::ops::Range<usize>> {
        let vectors = offsets.ranges().enumerate();
        let vectors = vectors.map(|(index, tokens)| match self.one_per_row {
            true => index..index + 1,
            false => tokens,
        });
        vectors
            .map(|range| range.start * hidden..range.end * hidden)
            .collect()
    }
}

/// Allocates zeros, and fails if the machine does not have enough memory.
fn zeros(count: u64) -> Result<Vec<f32>, TrainError> {
    let failed = || TrainError::FeatureMemory { bytes: 4 * count };
    let count = usize::try_from(count).map_err(|_| failed())?;
    let mut values = Vec::new();
    values.try_reserve_exact(count).map_err(|_| failed())?;
    values.resize(count, 0.0);
    Ok(values)
}
