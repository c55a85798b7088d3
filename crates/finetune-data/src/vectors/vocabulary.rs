//! The tokens of a vocabulary that are whole words.

use std::collections::HashSet;

use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{Decoder as _, ModelWrapper};

use crate::TextTokenizer;

/// The mark of a blank before a word in a byte-level BPE.
const BYTE_LEVEL_BLANK: char = 'Ġ';
/// The mark of a blank before a word in SentencePiece's vocabularies.
const BLANK: char = '▁';

/// The words of a vocabulary, in the order of their ids.
pub(super) struct Vocabulary {
    words: Vec<(u32, String)>,
    /// The words and their lower-case forms.
    wanted: HashSet<String>,
}

impl Vocabulary {
    pub(super) fn of(tokenizer: &TextTokenizer) -> Self {
        let tokenizer = tokenizer.tokenizer();
        let model = tokenizer.get_model();
        let added = tokenizer.get_added_tokens_decoder();
        let special: HashSet<u32> = added
            .iter()
            .filter_map(|(id, token)| token.special.then_some(*id))
            .collect();
        let all = tokenizer.get_vocab(true).into_iter();
        let mut words: Vec<_> = all
            .filter(|(_, id)| !special.contains(id))
            .filter_map(|(token, id)| {
                let is_added = added.contains_key(&id);
                let word = if is_added {
                    Some(token)
                } else {
                    word_of(model, token)
                };
                Some((id, word.filter(|word| !word.is_empty())?))
            })
            .collect();
        words.sort_unstable();
        let forms = words
            .iter()
            .flat_map(|(_, word)| [word.clone(), word.to_lowercase()]);
        Self {
            wanted: forms.collect(),
            words,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    /// Returns whether a vector of this word is of use.
    pub(super) fn wants(&self, word: &str) -> bool {
        self.wanted.contains(word)
    }

    pub(super) fn words(&self) -> impl Iterator<Item = (u32, &str)> {
        self.words.iter().map(|(id, word)| (*id, word.as_str()))
    }
}

/// Returns the word that a token is, unless it continues one.
fn word_of(model: &ModelWrapper, token: String) -> Option<String> {
    match model {
        ModelWrapper::WordPiece(model) => {
            let continues = token.starts_with(&model.continuing_subword_prefix);
            (!continues).then_some(token)
        }
        ModelWrapper::WordLevel(_) => Some(token),
        ModelWrapper::BPE(model) => match &model.end_of_word_suffix {
            Some(suffix) => token.strip_suffix(suffix.as_str()).map(str::to_owned),
            None => match token.strip_prefix(BYTE_LEVEL_BLANK) {
                Some(word) => {
                    let decoded = ByteLevel::default().decode_chain(vec![word.to_owned()]);
                    Some(decoded.ok()?.concat())
                }
                None => token.strip_prefix(BLANK).map(str::to_owned),
            },
        },
        ModelWrapper::Unigram(_) => token.strip_prefix(BLANK).map(str::to_owned),
    }
}
