//! A vocabulary of whole words: the most frequent ones.

use serde_json::{Map, Value, json};

use super::word_counts::WordCounts;
use super::{SPECIAL_TOKENS, UNK, Vocabulary};

/// Lists the special tokens and the most frequent words, up to `size` in all, in the order of
/// torchtext's `build_vocab_from_iterator`.
pub(super) fn most_frequent(counts: &WordCounts, size: usize) -> Vocabulary {
    let words = counts.sorted().into_iter().map(|(word, _)| word);
    let words = words.filter(|word| !SPECIAL_TOKENS.contains(word));
    let all = SPECIAL_TOKENS.into_iter().chain(words).take(size);
    let ids = all
        .zip(0u32..)
        .map(|(word, id)| (word.to_owned(), Value::from(id)));
    Vocabulary {
        model: json!({
            "type": "WordLevel",
            "vocab": ids.collect::<Map<_, _>>(),
            "unk_token": UNK,
        }),
        notes: Vec::new(),
    }
}
