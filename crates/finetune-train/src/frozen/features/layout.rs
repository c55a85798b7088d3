//! Which rows' features are stored, and where. It depends only on the data and the limits.

use std::ops::Range;

use finetune_data::TokenizedDataset;
use finetune_models::ModelConfig;

use crate::{FeatureLimits, TrainError, frozen::layers::FrozenLayers};

/// Number of rows whose lengths are read at a time.
const CHUNK: usize = 1 << 12;

/// The layout of the features: the first rows are in memory, the next ones on disk, and the rest are
/// not stored. Rows are contiguous and in order.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    starts: Starts,
    /// Number of rows.
    rows: u64,
    /// Rows before this one are in memory.
    memory_rows: u64,
    /// Rows before this one are in memory or on disk.
    kept_rows: u64,
}

/// The start of each stored row, in floats.
#[derive(Clone, Debug)]
enum Starts {
    /// All rows have this number of floats.
    Even(u64),
    /// The start of each stored row, followed by the end of the last one.
    Each(Vec<u64>),
}

/// The location of a row's features.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In memory, at these floats.
    Memory(Range<usize>),
    /// On disk, starting at this float.
    Disk(u64),
    /// Not stored, so computed when needed.
    Absent,
}

impl Layout {
    /// Computes the layout of the rows of `data` within the limits.
    pub(super) fn new(
        data: &TokenizedDataset,
        layers: usize,
        config: &ModelConfig,
        limits: FeatureLimits,
    ) -> Result<Self, TrainError> {
        let hidden = config.hidden_size as u64;
        let (memory, disk) = (limits.memory_bytes / 4, limits.disk_bytes / 4);
        let rows = data.len();
        if FrozenLayers::are_all(layers, config) {
            let memory_rows = rows.min(memory / hidden);
            return Ok(Self {
                starts: Starts::Even(hidden),
                rows,
                memory_rows,
                kept_rows: memory_rows + (rows - memory_rows).min(disk / hidden),
            });
        }
        let (mut starts, mut memory_rows) = (vec![0], None);
        let (mut end, mut memory_end) = (0u64, 0);
        let lengths = (0..rows).step_by(CHUNK).map(|first| {
            let count = CHUNK.min((rows - first) as usize);
            data.row_lens(first, count)
        });
        'rows: for chunk in lengths {
            for length in chunk? {
                let next = end + u64::from(length) * hidden;
                if memory_rows.is_none() && next > memory {
                    memory_rows = Some(starts.len() as u64 - 1);
                    memory_end = end;
                }
                if memory_rows.is_some() && next - memory_end > disk {
                    break 'rows;
                }
                starts.push(next);
                end = next;
            }
        }
        let kept_rows = starts.len() as u64 - 1;
        Ok(Self {
            starts: Starts::Each(starts),
            rows,
            memory_rows: memory_rows.unwrap_or(kept_rows),
            kept_rows,
        })
    }

    pub(super) fn place(&self, row: u64) -> Place {
        if row < self.memory_rows {
            Place::Memory(self.start(row) as usize..self.start(row + 1) as usize)
        } else if row < self.kept_rows {
            Place::Disk(self.start(row) - self.start(self.memory_rows))
        } else {
            Place::Absent
        }
    }

    /// Returns the number of rows in the data.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns the number of rows in memory.
    pub(super) fn memory_rows(&self) -> u64 {
        self.memory_rows
    }

    /// Returns the number of rows on disk.
    pub(super) fn disk_rows(&self) -> u64 {
        self.kept_rows - self.memory_rows
    }

    /// Returns the number of floats in memory.
    pub(super) fn memory_floats(&self) -> u64 {
        self.start(self.memory_rows)
    }

    /// Returns the number of floats on disk.
    pub(super) fn disk_floats(&self) -> u64 {
        self.start(self.kept_rows) - self.start(self.memory_rows)
    }

    fn start(&self, row: u64) -> u64 {
        match &self.starts {
            Starts::Even(floats) => row * floats,
            Starts::Each(starts) => starts[row as usize],
        }
    }
}
