//! Masks: which tokens of a row are hidden, and what stands in their places.

use std::ops::Range;

use finetune_data::{MaskingVocabulary, PackedBatch};
use finetune_kernels::{MaskedTokens, PackedTokens, RowDraws};

use crate::{MaskUnit, PretrainingPlan};

/// Draws masks by BERT's rule (Devlin et al. 2019): of the tokens that are predicted, 80 % are replaced by
/// the mask token and 10 % by a random one, and 10 % stay. Special tokens take no part.
///
/// The masks of a row are a function of (seed, epoch, row), whatever batch it is in, so a resumed run has
/// the masks that it would have had.
#[derive(Clone, Debug)]
pub struct Masker {
    vocabulary: MaskingVocabulary,
    plan: PretrainingPlan,
    seed: u64,
}

/// A batch with masked tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct MaskedBatch {
    /// The tokens as the model sees them.
    pub tokens: PackedTokens,
    /// The tokens to predict.
    pub masked: MaskedTokens,
}

impl MaskedBatch {
    /// Returns the number of tokens to predict.
    pub fn count(&self) -> usize {
        self.masked.places.len()
    }
}

/// The share of the predicted tokens that become the mask token, and of those that become a random one.
const MASKED: f64 = 0.8;
const RANDOM: f64 = 0.1;

/// The longest span in words, and the probability that a span ends after a word (SpanBERT's).
const LONGEST_SPAN: usize = 10;
const SPAN_ENDS: f64 = 0.2;

/// Spans that are drawn for each token to mask before a row has to do with fewer: their places may be
/// taken.
const ATTEMPTS: usize = 20;

impl Masker {
    /// The epoch of the masks for evaluation, which are the same each time. No run has as many.
    const EVALUATION: u32 = u32::MAX;

    /// Creates the masks of a run with this seed.
    pub fn new(vocabulary: MaskingVocabulary, plan: PretrainingPlan, seed: u64) -> Self {
        Self {
            vocabulary,
            plan,
            seed,
        }
    }

    /// Masks training rows in an epoch, from 0.
    pub fn training(&self, batch: &PackedBatch, epoch: u64) -> MaskedBatch {
        let epoch = epoch.min(u64::from(Self::EVALUATION - 1));
        self.mask(batch, epoch as u32)
    }

    /// Masks rows of an evaluation.
    pub fn evaluation(&self, batch: &PackedBatch) -> MaskedBatch {
        self.mask(batch, Self::EVALUATION)
    }

    fn mask(&self, batch: &PackedBatch, epoch: u32) -> MaskedBatch {
        let mut ids = batch.tokens.ids.to_vec();
        let mut places = Vec::new();
        for (range, &row) in batch.tokens.offsets.ranges().zip(&batch.rows) {
            let mut draws = RowDraws::new(self.seed, epoch, row);
            let start = range.start;
            let mut chosen = self.choose(&batch.tokens.ids[range], &mut draws);
            chosen.sort_unstable_by_key(|unit| unit.start);
            for unit in chosen {
                self.hide(unit.start + start..unit.end + start, &mut ids, &mut draws);
                places.extend((unit.start + start) as u32..(unit.end + start) as u32);
            }
        }
        let originals = places
            .iter()
            .map(|&place: &u32| batch.tokens.ids[place as usize]);
        let originals = originals.collect();
        MaskedBatch {
            tokens: PackedTokens {
                ids: ids.into(),
                ..batch.tokens.clone()
            },
            masked: MaskedTokens {
                places: places.into(),
                ids: originals,
            },
        }
    }

    /// Chooses the parts of a row to predict, none of which overlap.
    fn choose(&self, ids: &[u32], draws: &mut RowDraws) -> Vec<Range<usize>> {
        match self.plan.masking {
            MaskUnit::Tokens => {
                let ordinary = (0..ids.len()).filter(|&at| !self.vocabulary.is_special(ids[at]));
                let mut tokens: Vec<_> = ordinary.map(|at| at..at + 1).collect();
                let count = self.count(tokens.len(), draws);
                draw_first(&mut tokens, count, draws);
                tokens.truncate(count);
                tokens
            }
            MaskUnit::Words => {
                let mut words = self.vocabulary.words(ids);
                let count = self.count(words.len(), draws);
                draw_first(&mut words, count, draws);
                words.truncate(count);
                words
            }
            MaskUnit::Spans => self.spans(&self.vocabulary.words(ids), draws),
        }
    }

    /// Returns how many of `units` to predict: the wanted share on average, but at least one.
    fn count(&self, units: usize, draws: &mut RowDraws) -> usize {
        let wanted = self.plan.mlm_probability * units as f64;
        let count = (wanted + draws.unit()) as usize;
        count.max(1).min(units)
    }

    /// Draws spans of words until they have the wanted number of tokens. The last one is cut, as in
    /// SpanBERT.
    fn spans(&self, words: &[Range<usize>], draws: &mut RowDraws) -> Vec<Range<usize>> {
        let tokens: usize = words.iter().map(Range::len).sum();
        let wanted = self.count(tokens, draws);
        let mut taken = vec![false; words.len()];
        let (mut spans, mut done) = (Vec::new(), 0);
        for _ in 0..ATTEMPTS * wanted {
            if done >= wanted {
                break;
            }
            let (length, first) = (span_length(draws), draws.below(words.len()));
            let mut end = first;
            while end < words.len()
                && end - first < length
                && done < wanted
                && !taken[end]
                // Words with a special token between them are not one span.
                && (end == first || words[end - 1].end == words[end].start)
            {
                taken[end] = true;
                done += words[end].len();
                end += 1;
            }
            if end > first {
                spans.push(words[first].start..words[end - 1].end);
            }
        }
        spans
    }

    /// Replaces the tokens of a part of a row. A span is masked as a whole, as in SpanBERT; otherwise each
    /// token has its own fate.
    fn hide(&self, unit: Range<usize>, ids: &mut [u32], draws: &mut RowDraws) {
        let mut fate = draws.unit();
        for (number, at) in unit.enumerate() {
            if number > 0 && self.plan.masking != MaskUnit::Spans {
                fate = draws.unit();
            }
            if fate < MASKED {
                ids[at] = self.vocabulary.mask();
            } else if fate < MASKED + RANDOM {
                let ordinary = self.vocabulary.ordinary();
                ids[at] = ordinary[draws.below(ordinary.len())];
            }
        }
    }
}

/// Moves `count` units, drawn at random, to the front.
fn draw_first<T>(units: &mut [T], count: usize, draws: &mut RowDraws) {
    for place in 0..count {
        let other = place + draws.below(units.len() - place);
        units.swap(place, other);
    }
}

/// Draws the length of a span in words: geometric, and at most [`LONGEST_SPAN`].
fn span_length(draws: &mut RowDraws) -> usize {
    // The distribution is that of lengths up to the longest, so the last has no more than its share.
    let all = 1.0 - (1.0 - SPAN_ENDS).powi(LONGEST_SPAN as i32);
    let length = (1.0 - all * draws.unit()).ln() / (1.0 - SPAN_ENDS).ln();
    (length as usize + 1).min(LONGEST_SPAN)
}
