//! SentencePiece's unigram language model.

use tokenizers::AddedToken;
use tokenizers::models::unigram::{Unigram, UnigramTrainer};

use super::alphabet::Alphabet;
use super::merges::as_json;
use super::word_counts::WordCounts;
use super::{SPECIAL_TOKENS, UNK, Vocabulary};
use crate::{Error, Result};

/// The trainer's sums of probabilities depend on the number of its threads, so it is the same on
/// all machines.
const THREADS: usize = 8;
/// The trainer's distance between the scores of characters that training dropped.
const PENALTY: f64 = 0.0001;

/// Trains a unigram vocabulary.
pub(super) fn train(counts: &WordCounts, size: usize) -> Result<Vocabulary> {
    let failed = |message: String| Error::Vocabulary { message };
    let alphabet = Alphabet::new(counts, size, 1)?;
    let words = alphabet.runs(counts);
    // The trainer adds counts up in 32 bits.
    let total: u64 = words.values().sum();
    let scale = total.div_ceil(u64::from(u32::MAX / 2)).max(1);
    let mut words: Vec<_> = words
        .iter()
        .map(|(word, count)| (word.to_string(), count.div_ceil(scale) as u32))
        .collect();
    words.sort_unstable();
    let special = SPECIAL_TOKENS.map(|text| AddedToken::from(text, true));
    let trainer = UnigramTrainer::builder()
        .vocab_size(u32::try_from(size).unwrap_or(u32::MAX))
        .show_progress(false)
        .special_tokens(special.to_vec())
        .unk_token(Some(UNK.to_owned()))
        .build()
        .map_err(|error| failed(format!("cannot set the trainer up: {error}")))?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build();
    let pool = pool.map_err(|error| failed(format!("cannot start threads: {error}")))?;
    let mut model = Unigram::default();
    let trained = pool.install(|| trainer.do_train(words, &mut model));
    trained.map_err(|error| failed(format!("cannot train the vocabulary: {error}")))?;
    let pieces: Vec<_> = model.iter().cloned().collect();
    let unknown = SPECIAL_TOKENS.iter().position(|text| *text == UNK);
    let ordered = Unigram::from(in_fixed_order(pieces), unknown, false);
    let model = ordered.map_err(|error| failed(format!("cannot order the vocabulary: {error}")))?;
    Ok(Vocabulary {
        model: as_json(&model)?,
        notes: alphabet.note.into_iter().collect(),
    })
}

/// Sorts the pieces behind the special tokens by score and text. The trainer gives characters that
/// training dropped descending ranks in the order of a hash set; here they have them in the order of
/// the characters.
fn in_fixed_order(mut pieces: Vec<(String, f64)>) -> Vec<(String, f64)> {
    let mut own = pieces.split_off(SPECIAL_TOKENS.len().min(pieces.len()));
    let least = own
        .iter()
        .map(|(_, score)| *score)
        .fold(f64::INFINITY, f64::min);
    let mut ranks = Vec::new();
    let mut penalty = 0.0;
    for _ in 0..own.len() {
        ranks.push(least + penalty);
        penalty += PENALTY;
    }
    let is_single = |text: &str| text.chars().nth(1).is_none();
    let mut dropped: Vec<_> = own
        .iter_mut()
        .filter(|(text, score)| {
            // Ranks ascend.
            let near = ranks.partition_point(|rank| rank < score);
            is_single(text) && ranks.get(near) == Some(score)
        })
        .collect();
    let mut scores: Vec<f64> = dropped.iter().map(|(_, score)| *score).collect();
    scores.sort_by(f64::total_cmp);
    dropped.sort_by(|a, b| a.0.cmp(&b.0));
    for ((_, score), rank) in dropped.into_iter().zip(scores) {
        *score = rank;
    }
    own.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    pieces.extend(own);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_characters_are_ranked_by_themselves() {
        let special = SPECIAL_TOKENS.map(|text| (text.to_owned(), 0.0));
        let pieces = |dropped: [(&str, f64); 3]| {
            let own = [("▁a", -1.0), ("b", -2.0), ("least", -9.0)];
            let own = own.into_iter().chain(dropped);
            let own = own.map(|(text, score)| (text.to_owned(), score));
            special.iter().cloned().chain(own).collect::<Vec<_>>()
        };
        let ranks = [-9.0, -9.0 + PENALTY, -9.0 + (PENALTY + PENALTY)];
        let one = in_fixed_order(pieces([("x", ranks[0]), ("y", ranks[1]), ("z", ranks[2])]));
        let other = in_fixed_order(pieces([("z", ranks[0]), ("x", ranks[1]), ("y", ranks[2])]));
        assert_eq!(one, other);
        let texts: Vec<_> = one[5..].iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts, ["▁a", "b", "z", "y", "least", "x"]);
    }
}
