//! Splits texts into words as a tokenizer does before it looks them up.

use tokenizers::{
    NormalizedString, Normalizer as _, NormalizerWrapper, OffsetReferential, OffsetType,
    PreTokenizedString, PreTokenizer as _, PreTokenizerWrapper, Tokenizer,
};

/// Longer texts are cut at a blank, since splitting a text takes many times its memory.
const LONG: usize = 1 << 16;

/// The normalizer and the pre-tokenizer of a tokenizer.
#[derive(Clone, Copy)]
pub(crate) struct WordSplitter<'a> {
    normalizer: Option<&'a NormalizerWrapper>,
    pre_tokenizer: Option<&'a PreTokenizerWrapper>,
}

impl<'a> WordSplitter<'a> {
    pub(crate) fn of(tokenizer: &'a Tokenizer) -> Self {
        Self {
            normalizer: tokenizer.get_normalizer(),
            pre_tokenizer: tokenizer.get_pre_tokenizer(),
        }
    }

    /// Calls `found` for each word of a text.
    pub(crate) fn split(
        self,
        text: &str,
        found: &mut impl FnMut(&str),
    ) -> Result<(), tokenizers::Error> {
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(end_of_piece(rest));
            let mut normalized = NormalizedString::from(piece);
            if let Some(normalizer) = self.normalizer {
                normalizer.normalize(&mut normalized)?;
            }
            let mut words = PreTokenizedString::from(normalized);
            if let Some(pre_tokenizer) = self.pre_tokenizer {
                pre_tokenizer.pre_tokenize(&mut words)?;
            }
            for (word, ..) in words.get_splits(OffsetReferential::Normalized, OffsetType::Byte) {
                found(word);
            }
            rest = after;
        }
        Ok(())
    }
}

/// Returns where the first piece of a text ends.
fn end_of_piece(text: &str) -> usize {
    let start = text.floor_char_boundary(LONG);
    let blank = text[start..].find(char::is_whitespace);
    match blank {
        Some(blank) if start > 0 => start + blank,
        _ => text.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_before_a_blank() {
        assert_eq!(end_of_piece("a b"), 3);
        let text = format!("{}é b c", "a".repeat(LONG - 1));
        assert_eq!(end_of_piece(&text), LONG + 1);
        assert_eq!(end_of_piece(&"a".repeat(2 * LONG)), 2 * LONG);
    }
}
