//! Words of a text, as numbers: what near duplicates and the built-in classifier compare.

/// Mixes the bits of a number (the finalizer of SplitMix64).
pub(crate) fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Returns a hash of some bytes that is the same on every machine (FNV-1a, mixed).
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    mix(bytes.iter().fold(0xcbf2_9ce4_8422_2325, step))
}

/// Returns the hashes of the words of a folded text: runs of letters and digits, and every character of a
/// script that is written without blanks.
pub(crate) fn words(folded: &str) -> Vec<u32> {
    let mut words = Vec::new();
    let mut start = None;
    let mut buffer = [0; 4];
    for (at, c) in folded.char_indices() {
        let alone = is_written_without_blanks(c);
        if c.is_alphanumeric() && !alone {
            start.get_or_insert(at);
            continue;
        }
        if let Some(start) = start.take() {
            words.push(hash(&folded.as_bytes()[start..at]) as u32);
        }
        if alone {
            words.push(hash(c.encode_utf8(&mut buffer).as_bytes()) as u32);
        }
    }
    if let Some(start) = start {
        words.push(hash(&folded.as_bytes()[start..]) as u32);
    }
    words
}

/// Whether blanks do not separate the words of this character's script: Thai, Lao, Khmer, Burmese, Kana and
/// Chinese characters.
fn is_written_without_blanks(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{20000}'..='\u{323af}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctuation_separates_words_and_chinese_characters_stand_alone() {
        assert_eq!(words("it's good, good!").len(), 4);
        assert_eq!(words("it's good")[2], words("good")[0]);
        assert_eq!(words("很好的电影").len(), 5);
        assert_eq!(words(" ... ").len(), 0);
        assert_eq!(words("été").len(), 1);
    }
}
