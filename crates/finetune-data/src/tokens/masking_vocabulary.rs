//! What masked language modelling needs to know of a tokenizer's vocabulary.

use std::ops::Range;

use tokenizers::{ModelWrapper, PreTokenizerWrapper, Tokenizer};

use crate::{Error, Result, TextTokenizer};

/// The mask token, the special tokens, and where words begin.
#[derive(Clone, Debug)]
pub struct MaskingVocabulary {
    mask: u32,
    /// For each id, whether it is a special token, or no token at all.
    special: Vec<bool>,
    /// The ids that are not special.
    ordinary: Vec<u32>,
    /// For each id, how the token bounds words.
    bounds: Vec<Bound>,
}

/// How a token bounds words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    /// It is always the first of a word.
    Begins,
    /// It belongs to the word of the token before it, if there is one.
    Continues,
    /// It belongs to the word before it, and is the last of it.
    Ends,
}

/// How a tokenizer marks words in its tokens.
enum Style {
    /// Pieces inside a word begin with this prefix: WordPiece.
    Prefix(String),
    /// The last piece of a word has this suffix.
    Suffix(String),
    /// The first piece of a word begins with one of these characters, which stand for blanks:
    /// byte-level BPE, SentencePiece.
    Blanks(&'static [char]),
    /// Every token is a word.
    Words,
}

/// The characters of byte-level BPE for blank, line feed, tab and carriage return.
const BYTE_LEVEL_BLANKS: &[char] = &['Ġ', 'Ċ', 'ĉ', 'č'];
/// SentencePiece's character for a blank.
const METASPACE: &[char] = &['▁'];

impl TextTokenizer {
    /// Returns what masked language modelling needs to know of the vocabulary.
    ///
    /// # Errors
    /// Fails if there is no mask token, or nothing but special tokens.
    pub fn masking_vocabulary(&self) -> Result<MaskingVocabulary> {
        let mask = self.mask_token_id().ok_or(Error::NoMaskToken)?;
        let tokenizer = &self.texts.tokenizer;
        let style = Style::of(tokenizer);
        // Ids without a token are never drawn.
        let mut special = vec![true; self.vocab_size()];
        let mut bounds = vec![Bound::Begins; self.vocab_size()];
        for (token, id) in tokenizer.get_vocab(true) {
            let id = id as usize;
            special[id] = false;
            bounds[id] = style.bound(&token);
        }
        for (id, token) in tokenizer.get_added_tokens_decoder() {
            special[id as usize] |= token.special;
            bounds[id as usize] = Bound::Begins;
        }
        for id in self.template(false).special_ids().chain([mask]) {
            special[id as usize] = true;
        }
        let ids = 0..self.vocab_size() as u32;
        let ordinary: Vec<u32> = ids.filter(|&id| !special[id as usize]).collect();
        match ordinary.is_empty() {
            true => Err(Error::OnlySpecialTokens),
            false => Ok(MaskingVocabulary {
                mask,
                special,
                ordinary,
                bounds,
            }),
        }
    }
}

impl MaskingVocabulary {
    /// Returns the id of the mask token.
    pub fn mask(&self) -> u32 {
        self.mask
    }

    /// Returns whether an id is a special token, which is neither masked nor put in the place of
    /// another; ids beyond the vocabulary are special.
    pub fn is_special(&self, id: u32) -> bool {
        self.special.get(id as usize).copied().unwrap_or(true)
    }

    /// Returns the ids of all tokens that are not special, in ascending order.
    pub fn ordinary(&self) -> &[u32] {
        &self.ordinary
    }

    /// Returns the words of a row of tokens as ranges of its indices, in order. Special tokens belong to
    /// no word.
    pub fn words(&self, ids: &[u32]) -> Vec<Range<usize>> {
        let mut words: Vec<Range<usize>> = Vec::new();
        let mut open = false;
        for (index, &id) in ids.iter().enumerate() {
            if self.is_special(id) {
                open = false;
                continue;
            }
            let bound = self.bounds[id as usize];
            match words.last_mut().filter(|_| open && bound != Bound::Begins) {
                Some(word) => word.end = index + 1,
                None => words.push(index..index + 1),
            }
            open = bound != Bound::Ends;
        }
        words
    }
}

impl Style {
    fn of(tokenizer: &Tokenizer) -> Self {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        match tokenizer.get_model() {
            ModelWrapper::WordPiece(model) => Self::Prefix(model.continuing_subword_prefix.clone()),
            ModelWrapper::WordLevel(_) => Self::Words,
            ModelWrapper::BPE(model) => {
                let suffix = given(&model.end_of_word_suffix).map(Self::Suffix);
                let prefix = || given(&model.continuing_subword_prefix).map(Self::Prefix);
                let marked = suffix.or_else(prefix);
                marked.unwrap_or_else(|| Self::of_blanks(tokenizer))
            }
            ModelWrapper::Unigram(_) => Self::of_blanks(tokenizer),
        }
    }

    /// Finds out how a tokenizer that keeps blanks writes them.
    fn of_blanks(tokenizer: &Tokenizer) -> Self {
        let is_byte_level = tokenizer.get_pre_tokenizer().is_some_and(has_byte_level);
        let has_metaspace = || {
            let mut tokens = tokenizer.get_vocab(false).into_keys();
            tokens.any(|token| token.starts_with(METASPACE))
        };
        match is_byte_level {
            true => Self::Blanks(BYTE_LEVEL_BLANKS),
            false if has_metaspace() => Self::Blanks(METASPACE),
            false => Self::Words,
        }
    }

    fn bound(&self, token: &str) -> Bound {
        let begins = match self {
            Self::Words => true,
            Self::Prefix(prefix) => prefix.is_empty() || !token.starts_with(prefix.as_str()),
            Self::Blanks(blanks) => token.starts_with(*blanks),
            Self::Suffix(suffix) => {
                return match token.ends_with(suffix.as_str()) {
                    true => Bound::Ends,
                    false => Bound::Continues,
                };
            }
        };
        if begins {
            Bound::Begins
        } else {
            Bound::Continues
        }
    }
}

fn has_byte_level(pre_tokenizer: &PreTokenizerWrapper) -> bool {
    match pre_tokenizer {
        PreTokenizerWrapper::ByteLevel(_) => true,
        PreTokenizerWrapper::Sequence(sequence) => sequence.as_ref().iter().any(has_byte_level),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn tokenizer(model: Value, pre_tokenizer: Value, special: &[(u32, &str)]) -> TextTokenizer {
        let added: Vec<_> = special
            .iter()
            .map(|(id, content)| {
                json!({"id": id, "content": content, "single_word": false, "lstrip": false,
                       "rstrip": false, "normalized": false, "special": true})
            })
            .collect();
        let file = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
            "normalizer": null, "pre_tokenizer": pre_tokenizer, "post_processor": null,
            "decoder": null, "model": model,
        });
        TextTokenizer::from_bytes(file.to_string().as_bytes()).unwrap()
    }

    fn words(tokenizer: &TextTokenizer, ids: &[u32]) -> Vec<Range<usize>> {
        tokenizer.masking_vocabulary().unwrap().words(ids)
    }

    #[test]
    fn word_pieces_belong_to_the_word_before_them() {
        let vocab = json!({"[UNK]": 0, "[MASK]": 1, "film": 2, "##s": 3, "good": 4});
        let model = json!({"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocab});
        let pieces = tokenizer(
            model,
            json!({"type": "BertPreTokenizer"}),
            &[(0, "[UNK]"), (1, "[MASK]")],
        );
        // A row may begin inside a word, and an unknown word is no word to learn.
        assert_eq!(
            words(&pieces, &[3, 2, 3, 3, 0, 4, 1, 3]),
            [0..1, 1..4, 5..6, 7..8]
        );
        let vocabulary = pieces.masking_vocabulary().unwrap();
        assert_eq!(vocabulary.mask(), 1);
        assert_eq!(vocabulary.ordinary(), [2, 3, 4]);
        assert!(vocabulary.is_special(0) && vocabulary.is_special(9));
    }

    #[test]
    fn blanks_begin_words() {
        let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
            "use_regex": true});
        for (blank, pre_tokenizer) in [
            (
                "Ġ",
                json!({"type": "Sequence", "pretokenizers": [byte_level]}),
            ),
            ("▁", Value::Null),
        ] {
            let vocab =
                json!({"<mask>": 0, format!("{blank}g"): 1, "o": 2, format!("{blank}f"): 3});
            let model = json!({"type": "BPE", "dropout": null, "unk_token": null,
                "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
                "byte_fallback": false, "ignore_merges": false, "vocab": vocab, "merges": []});
            let bpe = tokenizer(model, pre_tokenizer, &[(0, "<mask>")]);
            assert_eq!(
                words(&bpe, &[2, 1, 2, 2, 3, 3, 2]),
                [0..1, 1..4, 4..5, 5..7]
            );
        }
    }

    #[test]
    fn suffixes_end_words_and_other_tokens_are_words() {
        let model = json!({"type": "BPE", "dropout": null, "unk_token": null,
            "continuing_subword_prefix": null, "end_of_word_suffix": "</w>", "fuse_unk": false,
            "byte_fallback": false, "ignore_merges": false,
            "vocab": {"[MASK]": 0, "a": 1, "b</w>": 2}, "merges": []});
        let suffixes = tokenizer(model, json!({"type": "Whitespace"}), &[(0, "[MASK]")]);
        assert_eq!(words(&suffixes, &[1, 2, 2, 1, 1, 2]), [0..2, 2..3, 3..6]);
        let model = json!({"type": "WordLevel", "unk_token": "[UNK]",
            "vocab": {"[UNK]": 0, "[MASK]": 1, "a": 2, "b": 3}});
        let levels = tokenizer(model, json!({"type": "Whitespace"}), &[(1, "[MASK]")]);
        assert_eq!(words(&levels, &[2, 2, 3]), [0..1, 1..2, 2..3]);
    }

    #[test]
    fn a_mask_token_is_needed() {
        let model = json!({"type": "WordLevel", "unk_token": "a", "vocab": {"a": 0, "b": 1}});
        let none = tokenizer(model, json!({"type": "Whitespace"}), &[]);
        let error = none.masking_vocabulary().unwrap_err().to_string();
        assert!(error.contains("mask token"), "{error}");
        let model = json!({"type": "WordLevel", "unk_token": "[MASK]", "vocab": {"[MASK]": 0}});
        let only = tokenizer(model, json!({"type": "Whitespace"}), &[(0, "[MASK]")]);
        assert!(only.masking_vocabulary().is_err());
    }
}
