//! Finds where a text can be cut before it is tokenized without changing the tokens next to the
//! cut.
//!
//! A *seam* lies before a character that always begins a pre-token and that normalization neither
//! joins with the preceding text nor makes depend on it: the tokens of the whole text are then
//! those of both sides, concatenated. There is no seam inside a word, but a word longer than
//! WordPiece's limit is a single unknown token however it continues. A text may therefore also end
//! (or begin) within a word of which more characters than that are kept. Added tokens are matched
//! in a text before anything else, so no cut is made where one could lie across it.
//!
//! Tokenizers with components other than those known here are never cut.

use std::borrow::Cow;
use std::collections::HashSet;

use tokenizers::{
    ModelWrapper, NormalizedString, Normalizer as _, NormalizerWrapper, PreTokenizerWrapper,
    Tokenizer,
};
use unicode_categories::UnicodeCategories as _;

use crate::TruncationSide;

const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

/// The places where a tokenizer's texts may be cut.
#[derive(Clone, Debug)]
pub(crate) struct SafeCut {
    style: Style,
    /// Characters that occur in added tokens anywhere but at their start.
    inside_added: HashSet<char>,
    /// A word with more characters than this is a single unknown token.
    longest_word: Option<usize>,
    /// Whether a text may end within a long word.
    ends_in_word: bool,
    /// Whether a text may begin within a long word.
    begins_in_word: bool,
    /// Whether a run of blanks gives the same tokens as a single blank.
    blanks_are_one: bool,
}

/// The separators of pre-tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// BERT: blanks, punctuation and, if they are set apart, Chinese characters.
    Bert { chinese: bool },
    /// Blanks only.
    Blanks,
    /// GPT-2: a blank begins a word. So does punctuation after a letter, unless a blank would be
    /// inserted before it or a combining accent could come between them.
    ByteLevel { punctuation: bool },
}

impl SafeCut {
    /// Determines where a tokenizer's texts may be cut; `None` if that is not known.
    pub(crate) fn of(tokenizer: &Tokenizer) -> Option<Self> {
        let bert = match tokenizer.get_normalizer() {
            Some(NormalizerWrapper::BertNormalizer(bert)) => Some(*bert),
            Some(other) if !keeps_blanks(other) => return None,
            _ => None,
        };
        let added = tokenizer.get_added_tokens_decoder();
        let style = match tokenizer.get_pre_tokenizer()? {
            PreTokenizerWrapper::BertPreTokenizer(_) => Style::Bert {
                chinese: bert.is_some_and(|bert| bert.handle_chinese_chars),
            },
            PreTokenizerWrapper::Whitespace(_) | PreTokenizerWrapper::WhitespaceSplit(_) => {
                Style::Blanks
            }
            // A blank after a token with `rstrip` belongs to that token, not to the next word.
            PreTokenizerWrapper::ByteLevel(level)
                if level.use_regex && !added.values().any(|token| token.rstrip) =>
            {
                Style::ByteLevel {
                    punctuation: !level.add_prefix_space && tokenizer.get_normalizer().is_none(),
                }
            }
            _ => return None,
        };
        let longest_word = match (tokenizer.get_model(), style) {
            (ModelWrapper::WordPiece(model), Style::Bert { .. }) => {
                Some(model.max_input_chars_per_word)
            }
            (ModelWrapper::BPE(model), _) if model.dropout.is_some() => return None,
            _ => None,
        };
        let mut inside_added = HashSet::new();
        let mut blanks_are_one = matches!(style, Style::Bert { .. });
        let (mut ends_in_word, mut begins_in_word) = (true, true);
        for token in added.values() {
            let mut normalized = NormalizedString::from(token.content.as_str());
            if let Some(normalizer) = tokenizer.get_normalizer() {
                normalizer.normalize(&mut normalized).ok()?;
            }
            // Whether a `single_word` token matches depends on its neighbours.
            if token.single_word && style != Style::Blanks {
                return None;
            }
            for form in [token.content.as_str(), normalized.get()] {
                inside_added.extend(form.chars().skip(1));
                blanks_are_one &= !form.contains(char::is_whitespace);
                let mark = |c: Option<char>| c.is_none_or(|c| c.is_ascii_punctuation());
                let short = longest_word.is_some_and(|longest| form.chars().count() < longest);
                ends_in_word &= short && mark(form.chars().next());
                begins_in_word &= short && mark(form.chars().next_back());
            }
        }
        // A blank is normalized to a blank, but possibly to a different one.
        if BLANKS.iter().any(|blank| inside_added.contains(blank)) {
            inside_added.extend(BLANKS);
        }
        Some(Self {
            style,
            inside_added,
            longest_word,
            ends_in_word,
            begins_in_word,
            blanks_are_one,
        })
    }

    /// Returns the first cut at least `size` bytes from the end of the text that is kept. The
    /// tokens on the kept side of it are those of the whole text.
    pub(crate) fn cut(&self, text: &str, size: usize, side: TruncationSide) -> Option<usize> {
        match side {
            TruncationSide::Right => self.first(text, size, self.ends_in_word),
            TruncationSide::Left => self.last(text, size),
        }
    }

    /// Returns the first seam at or after `size` bytes, where the tokens of the text are those of
    /// both sides.
    pub(crate) fn seam(&self, text: &str, size: usize) -> Option<usize> {
        self.first(text, size, false)
    }

    /// Shortens overlong words, leaving them too long, and runs of blanks. This does not change the
    /// tokens: such a word is a single unknown token either way, and blanks give none.
    pub(crate) fn squeeze<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.squeeze_blanks(text) {
            Cow::Borrowed(text) => self.squeeze_words(text),
            Cow::Owned(text) => Cow::Owned(self.squeeze_words(&text).into_owned()),
        }
    }

    fn squeeze_blanks<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !self.blanks_are_one {
            return Cow::Borrowed(text);
        }
        let is_blank = |c: &char| BLANKS.contains(c);
        let mut before = None;
        let is_kept = |next: &char| {
            let again = before.as_ref().is_some_and(is_blank) && is_blank(next);
            before = Some(*next);
            !again
        };
        let short: String = text.chars().filter(is_kept).collect();
        match short.len() == text.len() {
            true => Cow::Borrowed(text),
            false => Cow::Owned(short),
        }
    }

    fn squeeze_words<'a>(&self, text: &'a str) -> Cow<'a, str> {
        // No added token may lie within the part that is left out or reach into it.
        if !(self.ends_in_word && self.begins_in_word) {
            return Cow::Borrowed(text);
        }
        let mut short = String::new();
        let (mut word, mut kept, mut start) = (0, true, 0);
        for (index, next) in text.char_indices() {
            word = Self::in_word(word, next);
            // A combining mark neither ends a word nor changes its length.
            let keep = !(self.is_too_long(word) && kept) && (kept || word == 0);
            if keep != kept {
                match kept {
                    true => short.push_str(&text[start..index + next.len_utf8()]),
                    false => start = index,
                }
                kept = keep;
            }
        }
        if start == 0 && short.is_empty() {
            return Cow::Borrowed(text);
        }
        if kept {
            short.push_str(&text[start..]);
        }
        Cow::Owned(short)
    }

    fn first(&self, text: &str, size: usize, in_words: bool) -> Option<usize> {
        let start = text.floor_char_boundary(size);
        let mut before = text[..start].chars().next_back();
        let mut word = 0;
        for (index, next) in text[start..].char_indices() {
            if before.is_some_and(|before| self.is_seam(before, next)) {
                return Some(start + index);
            }
            let end = start + index + next.len_utf8();
            word = Self::in_word(word, next);
            if in_words && self.is_too_long(word) && end < text.len() {
                return Some(end);
            }
            before = Some(next);
        }
        None
    }

    fn last(&self, text: &str, size: usize) -> Option<usize> {
        let end = text.ceil_char_boundary(text.len().saturating_sub(size));
        let mut after = text[end..].chars().next();
        let mut word = 0;
        for (index, before) in text[..end].char_indices().rev() {
            let place = index + before.len_utf8();
            if after.is_some_and(|after| self.is_seam(before, after)) {
                return Some(place);
            }
            word = Self::in_word(word, before);
            if self.begins_in_word && self.is_too_long(word) && index > 0 {
                return Some(index);
            }
            after = Some(before);
        }
        None
    }

    fn is_seam(&self, before: char, next: char) -> bool {
        let safe = |c: char| !self.inside_added.contains(&c);
        // BERT treats an underscore as punctuation, others as part of a word.
        let mark = next.is_ascii_punctuation() && next != '_';
        safe(next)
            && match self.style {
                Style::Bert { chinese } => {
                    BLANKS.contains(&next)
                        || mark
                        // BERT's normalizer puts blanks around Chinese characters.
                        || (chinese && is_chinese(next) && safe(' '))
                }
                Style::Blanks => BLANKS.contains(&next) && !before.is_whitespace(),
                Style::ByteLevel { punctuation } => {
                    let ends_word = before.is_letter() || before.is_number();
                    (next == ' ' && !before.is_whitespace()) || (punctuation && mark && ends_word)
                }
            }
    }

    /// Returns the number of consecutive letters and digits in a word up to and including `next`.
    /// Combining marks do not count, because they may be stripped, but do not end the word either.
    fn in_word(so_far: usize, next: char) -> usize {
        match next {
            next if is_chinese(next) => 0,
            next if next.is_letter() || next.is_number() => so_far + 1,
            next if next.is_mark() => so_far,
            _ => 0,
        }
    }

    fn is_too_long(&self, word: usize) -> bool {
        self.longest_word.is_some_and(|longest| word > longest)
    }
}

/// Returns whether a normalizer only looks at single characters with their accents, leaves blanks
/// and ASCII unchanged except for case, and never turns letters into blanks (as compatibility forms
/// do).
fn keeps_blanks(normalizer: &NormalizerWrapper) -> bool {
    match normalizer {
        NormalizerWrapper::StripAccents(_)
        | NormalizerWrapper::NFC(_)
        | NormalizerWrapper::NFD(_)
        | NormalizerWrapper::Lowercase(_) => true,
        NormalizerWrapper::Sequence(all) => {
            let all: &[NormalizerWrapper] = all.as_ref();
            all.iter().all(keeps_blanks)
        }
        _ => false,
    }
}

/// Returns whether BERT's normalizer treats the character as Chinese.
fn is_chinese(c: char) -> bool {
    matches!(
        u32::from(c),
        0x4E00..=0x9FFF
            | 0x3400..=0x4DBF
            | 0x20000..=0x2A6DF
            | 0x2A700..=0x2B73F
            | 0x2B740..=0x2B81F
            | 0x2B920..=0x2CEAF
            | 0xF900..=0xFAFF
            | 0x2F800..=0x2FA1F
    )
}
