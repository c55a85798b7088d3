//! The features of a text for the built-in classifier: hashed words and pairs of words.

use crate::scan::fold::folded;
use crate::scan::words::{mix, words};

/// Words of a text that count. More hardly change what it is about.
pub(crate) const MOST_WORDS: usize = 256;

/// Returns the features of a text, each once and in order, as indices below `2^bits`.
pub(crate) fn features(text: &str, bits: u32) -> Vec<u32> {
    let mut words = words(&folded(text));
    words.truncate(MOST_WORDS);
    let mask = (1_u64 << bits) - 1;
    let single = words.iter().map(|word| mix(u64::from(*word)) & mask);
    let pairs = words
        .windows(2)
        .map(|pair| mix(u64::from(pair[0]) << 32 | u64::from(pair[1])) & mask);
    let mut features: Vec<u32> = single.chain(pairs).map(|feature| feature as u32).collect();
    features.sort_unstable();
    features.dedup();
    features
}
