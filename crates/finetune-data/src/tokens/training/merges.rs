//! Vocabularies that grow by merging the most frequent pair of pieces: WordPiece and byte-level BPE.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;
use tokenizers::AddedToken;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

use super::alphabet::Alphabet;
use super::long_words::cut;
use super::word_counts::{Counts, WordCounts};
use super::{LEAST_COUNT, SPECIAL_TOKENS, UNK, Vocabulary};
use crate::{Error, Result};

/// The mark of a piece that does not begin its word.
const CONTINUES: &str = "##";

/// Trains a WordPiece vocabulary.
pub(super) fn word_piece(counts: &WordCounts, size: usize) -> Result<Vocabulary> {
    // A character is a piece of its own at the start of a word and within it.
    let alphabet = Alphabet::new(counts, size, 2)?;
    let words = alphabet.words(counts);
    let within: BTreeSet<char> = words.keys().flat_map(|word| word.chars().skip(1)).collect();
    let first = alphabet.characters.iter().map(char::to_string);
    let within = within.iter().map(|c| format!("{CONTINUES}{c}"));
    let bpe = merged(&words, first.chain(within), Some(CONTINUES), size)?;
    let mut model = WordPiece::from_bpe(&bpe);
    UNK.clone_into(&mut model.unk_token);
    Ok(Vocabulary {
        model: as_json(&model)?,
        notes: alphabet.note.into_iter().collect(),
    })
}

/// Trains a byte-level BPE, whose words are spelled in the characters that stand for bytes.
pub(super) fn byte_level(counts: &WordCounts, size: usize) -> Result<Vocabulary> {
    let bytes: BTreeSet<char> = ByteLevel::alphabet().into_iter().collect();
    let words = counts.words.iter();
    let words = words.map(|(word, count)| (word.as_str(), *count));
    let words = cut(words, continues_character);
    let bpe = merged(&words, bytes.iter().map(char::to_string), None, size)?;
    Ok(Vocabulary {
        model: as_json(&bpe)?,
        notes: Vec::new(),
    })
}

/// Returns whether a character stands for a byte that continues a character of UTF-8, from 0x80 to 0xbf.
fn continues_character(byte: char) -> bool {
    matches!(byte, '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{bf}' | '\u{122}'..='\u{143}')
}

/// Trains with all `characters` in this order after the special tokens. Given to the trainer as
/// special tokens, they have ids before it meets them in the order of a hash map.
fn merged(
    words: &Counts,
    characters: impl Iterator<Item = String>,
    prefix: Option<&str>,
    size: usize,
) -> Result<BPE> {
    let special = SPECIAL_TOKENS.iter().map(|text| text.to_string());
    let first = special.chain(characters);
    let mut trainer = BpeTrainer::builder()
        .vocab_size(size)
        .min_frequency(LEAST_COUNT)
        .show_progress(false)
        .special_tokens(first.map(|text| AddedToken::from(text, true)).collect());
    if let Some(prefix) = prefix {
        trainer = trainer.continuing_subword_prefix(prefix.to_owned());
    }
    let mut model = BPE::default();
    let trained = trainer.build().do_train(words, &mut model);
    trained.map_err(|error| Error::Vocabulary {
        message: format!("cannot train the vocabulary: {error}"),
    })?;
    Ok(model)
}

pub(super) fn as_json(model: &impl Serialize) -> Result<Value> {
    serde_json::to_value(model).map_err(|error| Error::Vocabulary {
        message: format!("cannot write the vocabulary as JSON: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use tokenizers::tokenizer::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

    use super::*;

    #[test]
    fn the_bytes_of_a_character_stay_together() {
        let text: String = ('\u{80}'..'\u{800}').chain(['漢', '😀']).collect();
        let mut word = PreTokenizedString::from(text.as_str());
        let bytes = ByteLevel::new(false, false, false);
        bytes.pre_tokenize(&mut word).unwrap();
        let splits = word.get_splits(OffsetReferential::Normalized, OffsetType::Byte);
        let spelled = splits[0].0;
        assert_eq!(spelled.chars().count(), text.len());
        for (character, byte) in spelled.chars().zip(text.bytes()) {
            assert_eq!(
                continues_character(character),
                byte & 0xc0 == 0x80,
                "{byte}"
            );
        }
    }
}
