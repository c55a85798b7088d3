//! Rows joined one after another.

use finetune_batch::{Offsets, PackedTokens};
use finetune_task::Labels;

use crate::{Error, Result, batch::packed::PackedBatch};

/// A batch that is being filled.
pub(crate) struct BatchBuilder {
    /// Token ids of the rows so far, and of the one that is begun.
    pub ids: Vec<u32>,
    /// Their token types.
    pub type_ids: Vec<u32>,
    /// Labels of the rows so far.
    pub labels: Labels,
    positions: Vec<u32>,
    lengths: Vec<u32>,
    rows: Vec<u64>,
}

impl BatchBuilder {
    /// No rows yet, with the labels of none.
    pub fn new(labels: Labels) -> Self {
        Self {
            ids: Vec::new(),
            type_ids: Vec::new(),
            labels,
            positions: Vec::new(),
            lengths: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Ends a row whose ids and token types were appended already.
    pub fn close_row(&mut self, row: u64) -> Result<()> {
        let (start, end) = (self.positions.len(), self.ids.len());
        u32::try_from(end).map_err(|_| Error::BatchTooLarge { tokens: end as u64 })?;
        let length = (end - start) as u32;
        self.positions.extend(0..length);
        self.lengths.push(length);
        self.rows.push(row);
        Ok(())
    }

    /// The batch, without a copy of its tokens.
    pub fn finish(self) -> PackedBatch {
        PackedBatch {
            tokens: PackedTokens {
                ids: self.ids.into(),
                positions: self.positions.into(),
                type_ids: self.type_ids.into(),
                offsets: Offsets::from_lengths(self.lengths),
                used_rows: None,
            },
            rows: self.rows,
            labels: self.labels,
        }
    }
}
