//! The rows and steps on which a probe is made, chosen so that their times can be extrapolated to all.

use std::{collections::BTreeSet, sync::Arc};

use finetune_data::TokenizedDataset;
use finetune_models::ModelConfig;

use crate::{Steps, TrainError};

/// Number of steps at the start of a run from which those of a probe are chosen. Rows are shuffled, so more
/// would not be more representative.
const SEEN: usize = 20_000;
/// Number of rows whose lengths are read at a time.
const CHUNK: usize = 1 << 12;
/// Number of rows whose words count as those that a run uses.
const WORD_ROWS: u64 = 20_000;

/// The multiplications of a forward pass per layer, up to a constant factor: those of the linear layers grow
/// with the tokens, and those of attention with their square.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    per_token: f64,
    per_pair: f64,
}

impl Work {
    pub fn of(config: &ModelConfig) -> Self {
        let (hidden, inner) = (config.hidden_size as f64, config.intermediate_size as f64);
        Self {
            per_token: 4.0 * hidden * hidden + 2.0 * hidden * inner,
            per_pair: 2.0 * hidden,
        }
    }

    fn of_row(self, length: u32) -> f64 {
        let length = f64::from(length);
        length * self.per_token + length * length * self.per_pair
    }

    /// Returns the work of some rows.
    pub fn of_rows<'a>(
        self,
        data: &TokenizedDataset,
        rows: impl IntoIterator<Item = &'a u64>,
    ) -> Result<f64, TrainError> {
        let works = rows
            .into_iter()
            .map(|&row| Ok(self.of_row(data.row_len(row)?)));
        works.sum()
    }

    /// Returns the work of all rows.
    pub fn of_all(self, data: &TokenizedDataset) -> Result<f64, TrainError> {
        let mut sum = 0.0;
        for first in (0..data.len()).step_by(CHUNK) {
            let count = CHUNK.min((data.len() - first) as usize);
            let lengths = data.row_lens(first, count)?.into_iter();
            sum += lengths.map(|length| self.of_row(length)).sum::<f64>();
        }
        Ok(sum)
    }

    /// Returns how many tokens take about half a second on a small machine: enough to measure, and few enough
    /// to wait for.
    pub fn tokens_to_measure(self, layers: usize) -> u64 {
        const MULTIPLICATIONS: f64 = 1e11;
        let tokens = MULTIPLICATIONS / (self.per_token * layers.max(1) as f64);
        tokens.clamp(2048.0, 32_768.0) as u64
    }
}

/// A step of a run: the rows of each of its batches, and its work.
#[derive(Clone, Debug)]
pub(super) struct ProbedStep {
    pub batches: Vec<Vec<u64>>,
    pub work: f64,
}

/// Steps that stand for all steps of a run.
#[derive(Debug, Default)]
pub(super) struct ChosenSteps {
    /// The step that takes the most memory.
    pub heaviest: Option<ProbedStep>,
    /// Steps of evenly spread work, from the lightest to the heaviest.
    pub spread: Vec<ProbedStep>,
    /// The mean work of a step of the run.
    pub mean_work: f64,
}

impl ChosenSteps {
    /// Chooses about `count` steps besides the heaviest one.
    pub fn of(
        steps: &Steps,
        data: &TokenizedDataset,
        work: Work,
        count: usize,
    ) -> Result<Self, TrainError> {
        if steps.total == 0 {
            return Ok(Self::default());
        }
        let seen = SEEN.min(steps.per_epoch().ceil() as usize);
        let mut all = Vec::new();
        for batches in steps.from(0)?.take(seen) {
            let batches = batches?;
            let work = work.of_rows(data, batches.iter().flatten())?;
            all.push(ProbedStep { batches, work });
        }
        let mean_work = all.iter().map(|step| step.work).sum::<f64>() / all.len().max(1) as f64;
        all.sort_by(|a, b| a.work.total_cmp(&b.work));
        let count = count.min(all.len());
        let middle = |index: usize| (2 * index + 1) * all.len() / (2 * count);
        Ok(Self {
            spread: (0..count).map(|index| all[middle(index)].clone()).collect(),
            heaviest: all.pop(),
            mean_work,
        })
    }

    /// Returns the rows of all chosen steps in order, and the steps with the numbers that their rows have among
    /// these.
    pub fn numbered(self) -> (Vec<u64>, Self) {
        let mut rows = Vec::new();
        let mut numbered = |step: ProbedStep| ProbedStep {
            batches: step
                .batches
                .into_iter()
                .map(|batch| {
                    let first = rows.len() as u64;
                    rows.extend(batch);
                    (first..rows.len() as u64).collect()
                })
                .collect(),
            work: step.work,
        };
        let chosen = Self {
            heaviest: self.heaviest.map(&mut numbered),
            spread: self.spread.into_iter().map(&mut numbered).collect(),
            mean_work: self.mean_work,
        };
        (rows, chosen)
    }
}

/// Returns rows at even distances, with about `tokens` tokens in all.
pub(super) fn evenly(data: &TokenizedDataset, tokens: u64) -> Vec<u64> {
    let total = data.total_tokens().max(1);
    let wanted = match total <= tokens {
        true => data.len(),
        false => (data.len() as f64 * tokens as f64 / total as f64).ceil() as u64,
    };
    (0..wanted)
        .map(|index| (index as u128 * u128::from(data.len()) / u128::from(wanted)) as u64)
        .collect()
}

/// Returns the rows of an evaluation's heaviest batch, as far as the first rows tell: the longest of those that
/// are sorted by length together.
pub(super) fn heaviest_rows(
    data: &TokenizedDataset,
    batch_size: usize,
) -> Result<Vec<u64>, TrainError> {
    let count = (64 * batch_size).min(data.len() as usize);
    let lengths = data.row_lens(0, count)?.into_iter();
    let mut rows: Vec<_> = lengths.zip(0..).collect();
    rows.sort_unstable_by(|a, b| b.cmp(a));
    let longest = rows.into_iter().take(batch_size);
    Ok(longest.map(|(_, row)| row).collect())
}

/// Returns the ids that occur in the first rows, in ascending order.
pub(super) fn used_words(data: &TokenizedDataset) -> Result<Arc<[u32]>, TrainError> {
    let mut used = BTreeSet::new();
    let last = data.len().min(WORD_ROWS);
    for first in (0..last).step_by(256) {
        let rows: Vec<_> = (first..last.min(first + 256)).collect();
        used.extend(data.batch(&rows)?.tokens.ids.iter().copied());
    }
    Ok(used.into_iter().collect())
}
