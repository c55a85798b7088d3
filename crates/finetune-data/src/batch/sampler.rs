//! Orders rows and groups them into batches.

use std::collections::VecDeque;

use crate::batch::permutation::Permutation;
use crate::{Error, Result, TokenizedDataset};

/// How rows are grouped into batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SamplerOptions {
    /// Rows or tokens per batch.
    pub batch: BatchSize,
    /// Seed that, together with the epoch, determines the order.
    pub seed: u64,
    /// Whether rows come in random order (for training) or in their own (for evaluation).
    pub shuffle: bool,
    /// Number of batches whose rows are collected, sorted by length, cut into batches of similar
    /// lengths, and shuffled (if `shuffle` is set). With `None`, rows stay in order.
    pub length_buckets: Option<usize>,
}

/// The size of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchSize {
    /// This many rows; the last batch of an epoch may be smaller.
    Rows(usize),
    /// As many rows as fit into this many tokens; a longer row is a batch by itself.
    Tokens(usize),
}

/// Cuts epochs into batches of row numbers. The order depends only on `(seed, epoch)` and is the
/// same on every machine (see [`Permutation`]); each row occurs once per epoch. Memory use is
/// constant, apart from one block of length buckets.
#[derive(Clone, Debug)]
pub struct Sampler {
    data: TokenizedDataset,
    options: SamplerOptions,
}

/// The cost of padding over an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PaddingReport {
    /// Number of tokens in all rows.
    pub tokens: u64,
    /// Number of tokens with every batch padded to its longest row.
    pub padded_to_batch: u64,
    /// Number of tokens with every row padded to the maximum length.
    pub padded_to_max_length: u64,
}

impl PaddingReport {
    /// Returns the share of padding among the tokens of padded batches, from 0 to 1.
    pub fn avoided(&self) -> f64 {
        share(self.tokens, self.padded_to_batch)
    }

    /// Returns the share of padding with every row padded to the maximum length.
    pub fn avoided_to_max_length(&self) -> f64 {
        share(self.tokens, self.padded_to_max_length)
    }
}

fn share(tokens: u64, padded: u64) -> f64 {
    if padded == 0 {
        0.0
    } else {
        1.0 - tokens as f64 / padded as f64
    }
}

impl Sampler {
    /// Creates a sampler over all rows of `data`.
    ///
    /// # Errors
    /// Fails for a batch size or block of 0.
    pub fn new(data: &TokenizedDataset, options: SamplerOptions) -> Result<Self> {
        let zero = |what: &str| {
            Err(Error::Sampler {
                message: format!("{what} must be at least 1"),
            })
        };
        match options.batch {
            BatchSize::Rows(0) => return zero("the batch size"),
            BatchSize::Tokens(0) => return zero("the number of tokens per batch"),
            _ => {}
        }
        if options.length_buckets == Some(0) {
            return zero("the number of batches in a block of length buckets");
        }
        Ok(Self {
            data: data.clone(),
            options,
        })
    }

    /// Returns the options.
    pub fn options(&self) -> &SamplerOptions {
        &self.options
    }

    /// Returns the number of batches of an epoch. With a token budget it differs between epochs and
    /// is counted, which reads the length of every row.
    ///
    /// # Errors
    /// Fails if the cache file has been damaged.
    pub fn num_batches(&self, epoch: u64) -> Result<u64> {
        match self.options.batch {
            BatchSize::Rows(rows) => Ok(self.data.len().div_ceil(rows as u64)),
            BatchSize::Tokens(_) => {
                let mut count = 0;
                for batch in self.epoch(epoch)? {
                    batch?;
                    count += 1;
                }
                Ok(count)
            }
        }
    }

    /// Iterates over the batches of row numbers of an epoch, for [`TokenizedDataset::batch`].
    /// Skipping batches (to resume within an epoch) is cheap.
    ///
    /// # Errors
    /// Fails if there are more rows than can be shuffled. Each item fails if the cache file has
    /// been damaged.
    pub fn epoch(&self, epoch: u64) -> Result<Batches> {
        let order = match self.options.shuffle {
            true => Some(Permutation::new(self.data.len(), self.options.seed, epoch)?),
            false => None,
        };
        Ok(Batches {
            data: self.data.clone(),
            options: self.options,
            order,
            epoch,
            next: 0,
            block: 0,
            ready: VecDeque::new(),
            held: None,
        })
    }

    /// Computes the cost of padding in an epoch, which reads the length of every row.
    ///
    /// # Errors
    /// The errors of [`epoch`](Self::epoch).
    pub fn padding(&self, epoch: u64) -> Result<PaddingReport> {
        let max_length = self.data.max_length() as u64;
        let mut report = PaddingReport::default();
        for batch in self.epoch(epoch)? {
            let mut longest = 0;
            let batch = batch?;
            for &row in &batch {
                let len = u64::from(self.data.row_len(row)?);
                report.tokens += len;
                longest = longest.max(len);
            }
            report.padded_to_batch += longest * batch.len() as u64;
            report.padded_to_max_length += max_length * batch.len() as u64;
        }
        Ok(report)
    }
}

/// The batches of one epoch.
#[derive(Debug)]
pub struct Batches {
    data: TokenizedDataset,
    options: SamplerOptions,
    order: Option<Permutation>,
    epoch: u64,
    /// Position in the order of the next row to take.
    next: u64,
    block: u64,
    /// Batches of the current block.
    ready: VecDeque<Vec<u64>>,
    /// The row that did not fit into the previous batch, and its length.
    held: Option<(u64, u64)>,
}

impl Batches {
    fn next_row(&mut self) -> Option<u64> {
        if self.next >= self.data.len() {
            return None;
        }
        let row = self
            .order
            .as_ref()
            .map_or(self.next, |order| order.get(self.next));
        self.next += 1;
        Some(row)
    }

    fn next_batch(&mut self) -> Result<Option<Vec<u64>>> {
        let Some(batches) = self.options.length_buckets else {
            return match self.options.batch {
                BatchSize::Rows(rows) => {
                    let batch: Vec<u64> =
                        std::iter::from_fn(|| self.next_row()).take(rows).collect();
                    Ok((!batch.is_empty()).then_some(batch))
                }
                BatchSize::Tokens(tokens) => self.fill(tokens as u64),
            };
        };
        if self.ready.is_empty() {
            self.fill_block(batches)?;
        }
        Ok(self.ready.pop_front())
    }

    /// Takes rows in order as long as they fit into the budget.
    fn fill(&mut self, budget: u64) -> Result<Option<Vec<u64>>> {
        let (mut batch, mut tokens) = (Vec::new(), 0);
        loop {
            let (row, len) = match self.held.take() {
                Some(held) => held,
                None => match self.next_row() {
                    Some(row) => (row, u64::from(self.data.row_len(row)?)),
                    None => break,
                },
            };
            if !batch.is_empty() && tokens + len > budget {
                self.held = Some((row, len));
                break;
            }
            batch.push(row);
            tokens += len;
        }
        Ok((!batch.is_empty()).then_some(batch))
    }

    /// Takes a block of rows, sorts it by length, cuts it into batches and shuffles the batches.
    fn fill_block(&mut self, batches: usize) -> Result<()> {
        let rows = match self.options.batch {
            BatchSize::Rows(rows) => rows,
            BatchSize::Tokens(tokens) => {
                let mean = self
                    .data
                    .total_tokens()
                    .div_ceil(self.data.len().max(1))
                    .max(1);
                (tokens as u64 / mean).max(1) as usize
            }
        };
        let mut block = Vec::new();
        for row in std::iter::from_fn(|| self.next_row()).take(rows.saturating_mul(batches)) {
            block.push((0, row));
        }
        for (len, row) in &mut block {
            *len = u64::from(self.data.row_len(*row)?);
        }
        // The sort is stable: rows of the same length keep the order of the permutation.
        block.sort_by_key(|&(len, _)| len);
        let mut cut: Vec<Vec<u64>> = Vec::new();
        let mut tokens = 0;
        for (len, row) in block {
            let fits = |batch: &Vec<u64>| match self.options.batch {
                BatchSize::Rows(rows) => batch.len() < rows,
                BatchSize::Tokens(budget) => tokens + len <= budget as u64,
            };
            match cut.last_mut().filter(|batch| fits(batch)) {
                Some(batch) => batch.push(row),
                None => {
                    cut.push(vec![row]);
                    tokens = 0;
                }
            }
            tokens += len;
        }
        if self.options.shuffle {
            let seed = self.options.seed ^ crate::batch::permutation::mix64(self.epoch ^ BUCKETS);
            let order = Permutation::new(cut.len() as u64, seed, self.block)?;
            self.ready = order
                .iter()
                .map(|i| std::mem::take(&mut cut[i as usize]))
                .collect();
        } else {
            self.ready = cut.into();
        }
        self.block += 1;
        Ok(())
    }
}

/// Separates the order of batches in a block from the order of rows.
const BUCKETS: u64 = 0x6275_636b_6574_7300;

impl Iterator for Batches {
    type Item = Result<Vec<u64>>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.next_batch().transpose();
        if matches!(item, Some(Err(_))) {
            // After an error nothing can be trusted.
            self.next = self.data.len();
            self.ready.clear();
            self.held = None;
        }
        item
    }
}
