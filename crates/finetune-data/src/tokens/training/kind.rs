//! The kinds of vocabularies that can be trained.

use std::fmt;
use std::str::FromStr;

use tokenizers::Decoder as _;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

/// A kind of vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenizerKind {
    /// BERT's: words, and pieces of words with `##` before all but the first.
    WordPiece,
    /// RoBERTa's and GPT-2's: byte pairs, which know every text.
    Bpe,
    /// SentencePiece's unigram language model, with `▁` for a blank.
    Unigram,
    /// Whole words and punctuation as torchtext's `basic_english` separates them.
    Words,
}

impl TokenizerKind {
    const ALL: [(Self, &'static str); 4] = [
        (Self::WordPiece, "word-piece"),
        (Self::Bpe, "bpe"),
        (Self::Unigram, "unigram"),
        (Self::Words, "words"),
    ];

    /// Returns the number of tokens, besides the special ones, that do not depend on the texts.
    pub(super) fn fixed_tokens(self) -> usize {
        match self {
            Self::Bpe => 256,
            Self::WordPiece | Self::Unigram | Self::Words => 0,
        }
    }

    /// Returns whether there is more in a word of a text than blanks.
    pub(super) fn has_text(self, word: &str) -> bool {
        match self {
            // Blanks are spelled in the characters that stand for bytes.
            Self::Bpe => {
                let decoded = ByteLevel::default().decode_chain(vec![word.to_owned()]);
                decoded.is_ok_and(|texts| texts.iter().any(|text| !text.trim().is_empty()))
            }
            Self::Unigram => !word.trim_start_matches('▁').trim().is_empty(),
            Self::WordPiece | Self::Words => !word.trim().is_empty(),
        }
    }
}

impl fmt::Display for TokenizerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Self::ALL.iter().find(|(kind, _)| kind == self);
        f.write_str(named.map_or("", |(_, name)| name))
    }
}

impl FromStr for TokenizerKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = text.replace(['-', '_'], "").to_lowercase();
        let named = Self::ALL.iter();
        let mut named = named.filter(|(_, name)| name.replace('-', "") == plain);
        named.next().map(|(kind, _)| *kind).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|(_, name)| *name).collect();
            format!("expected one of {}", names.join(", "))
        })
    }
}
