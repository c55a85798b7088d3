//! Encodes texts as the tokens of rows.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use tokenizers::Tokenizer;

use finetune_task::Labels;

use crate::batch::{builder::BatchBuilder, packed::PackedBatch};
use crate::tokens::caught::catching;
use crate::tokens::safe_cut::SafeCut;
use crate::tokens::template::Template;
use crate::tokens::truncation::{kept, order_matters};
use crate::{Error, Result, TruncationSide, TruncationStrategy};

/// Number of bytes of a text that are tokenized at first, per wanted token: more than a word and a
/// blank take in most languages.
const BYTES_PER_TOKEN: usize = 10;
/// Number of bytes whose tokens are counted at a time.
const COUNTED_BYTES: usize = 1 << 16;

/// A tokenizer with a maximum length. Cloning is cheap.
#[derive(Clone)]
pub struct TextEncoder {
    pub(crate) texts: Arc<TextTokens>,
    pub(crate) template: Arc<Template>,
    pub(crate) max_length: usize,
    pub(crate) pairs: bool,
    pub(crate) strategy: TruncationStrategy,
    pub(crate) side: TruncationSide,
}

impl std::fmt::Debug for TextEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextEncoder")
            .field("max_length", &self.max_length)
            .field("pairs", &self.pairs)
            .field("strategy", &self.strategy)
            .field("side", &self.side)
            .finish_non_exhaustive()
    }
}

/// One encoded row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Token ids, including special tokens.
    pub ids: Vec<u32>,
    /// Type ids as the tokenizer assigns them: usually 0 for the first text and 1 for the second.
    pub type_ids: Vec<u32>,
    /// Whether text was cut off.
    pub truncated: bool,
}

/// Where a token is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPlace {
    /// The text of a pair: 0 or 1.
    pub text: usize,
    /// Its bytes in that text.
    pub bytes: Range<usize>,
    /// The word of the text that it is a piece of, as the tokenizer counts them; `None` if it cuts texts
    /// without finding words first.
    pub word: Option<u32>,
}

/// One encoded row, with the places of its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedPlaces {
    /// The row.
    pub row: Encoded,
    /// The place of each token, `[tokens]`; `None` for special tokens.
    pub places: Vec<Option<TokenPlace>>,
}

/// A tokenizer of single texts without special tokens, and where those texts may be cut.
pub(crate) struct TextTokens {
    pub(crate) tokenizer: Tokenizer,
    pub(crate) safe_cut: Option<SafeCut>,
    /// The token for what is not in the vocabulary, if there is one.
    pub(crate) unknown: Option<u32>,
}

/// The tokens of one text, starting from the side that is kept.
struct Tokens {
    ids: Vec<u32>,
    /// Whether the text has more tokens.
    more: bool,
}

impl TextEncoder {
    /// Returns the maximum length in tokens, special tokens included.
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// Returns the side at which texts are cut.
    pub fn truncation_side(&self) -> TruncationSide {
        self.side
    }

    /// Returns the same encoder with a different truncation.
    #[must_use]
    pub fn with_truncation(self, strategy: TruncationStrategy, side: TruncationSide) -> Self {
        Self {
            strategy,
            side,
            ..self
        }
    }

    /// Encodes one text or pair. If a text is far longer than the maximum length, only the part
    /// that is kept is tokenized, provided that this cannot change the tokens.
    ///
    /// # Errors
    /// Fails if the tokenizer fails, if the number of texts contradicts the `pairs` given to
    /// [`TextTokenizer::encoder`](crate::TextTokenizer::encoder), and if the one text that may be
    /// cut is too short.
    pub fn encode(&self, first: &str, second: Option<&str>) -> Result<Encoded> {
        Ok(self.encode_kept(first, second)?.0)
    }

    /// Encodes one text or pair as [`encode`](Self::encode) does, and returns where each token is from. Texts
    /// are tokenized as a whole, which takes longer if they are far longer than the maximum length.
    ///
    /// # Errors
    /// Fails as `encode` does.
    pub fn encode_places(&self, first: &str, second: Option<&str>) -> Result<EncodedPlaces> {
        let (row, kept) = self.encode_kept(first, second)?;
        let mut places = [Vec::new(), Vec::new()];
        for (text, content) in [Some(first), second].into_iter().enumerate() {
            let Some(content) = content else { continue };
            let all = self.texts.places(content, text).map_err(failed)?;
            let count = kept[text].min(all.len());
            let side = match self.side {
                TruncationSide::Right => 0..count,
                TruncationSide::Left => all.len() - count..all.len(),
            };
            places[text] = all[side].iter().cloned().map(Some).collect();
        }
        let mut places = self.template.arrange([&places[0], &places[1]], &None);
        // The token that stands for an empty text.
        places.resize(row.ids.len(), None);
        Ok(EncodedPlaces { row, places })
    }

    /// Encodes one text or pair, and returns how many tokens of each text are kept.
    fn encode_kept(&self, first: &str, second: Option<&str>) -> Result<(Encoded, [usize; 2])> {
        if second.is_some() != self.pairs {
            let (expected, found) = if self.pairs { (2, 1) } else { (1, 2) };
            let message = format!("expected {expected} text(s) in the row, found {found}");
            return Err(failed(message));
        }
        let room = self.max_length.saturating_sub(self.template.added());
        let tokens = |text| self.texts.tokens(text, room, self.side).map_err(failed);
        let a = tokens(first)?;
        let (b, has_more) = match second {
            Some(text) => (tokens(text)?, true),
            None => {
                let none = Tokens {
                    ids: Vec::new(),
                    more: false,
                };
                (none, false)
            }
        };
        let (n, m) = (a.ids.len(), b.ids.len());
        let mut first_is_longer = n > m;
        if (a.more || b.more) && order_matters(self.strategy, n, m, room) {
            let second = second.unwrap_or_default();
            first_is_longer = self.texts.is_longer(first, second).map_err(failed)?;
        }
        let lengths = match self.strategy {
            TruncationStrategy::OnlySecond if !has_more && n > room => None,
            _ if !has_more => Some((n.min(room), 0)),
            strategy => kept(strategy, n, m, room, first_is_longer),
        };
        let Some((kept_a, kept_b)) = lengths else {
            return Err(failed(format!(
                "its {} tokens are more than the maximum length of {}, and cutting {} alone cannot fix that; use another truncation or a larger maximum length",
                n + m + self.template.added(),
                self.max_length,
                match self.strategy {
                    TruncationStrategy::OnlySecond => "the second text",
                    _ => "the first text",
                }
            )));
        };
        let side = |ids: &[u32], count: usize| match self.side {
            TruncationSide::Right => 0..count,
            TruncationSide::Left => ids.len() - count..ids.len(),
        };
        let (mut ids, mut type_ids) = self
            .template
            .fill([&a.ids[side(&a.ids, kept_a)], &b.ids[side(&b.ids, kept_b)]]);
        // Nothing can be computed from a row without tokens, which transformers would make of an empty text
        // if there are no special tokens around it.
        if let (true, Some(unknown)) = (ids.is_empty(), self.texts.unknown) {
            (ids, type_ids) = (vec![unknown], vec![0]);
        }
        let row = Encoded {
            ids,
            type_ids,
            truncated: kept_a < n || kept_b < m,
        };
        Ok((row, [kept_a, kept_b]))
    }

    /// Encodes one text of any length as windows: consecutive parts of its tokens, each with the
    /// special tokens of a text, and each but the last of the maximum length. A text without tokens
    /// has no window.
    ///
    /// # Errors
    /// Fails if the tokenizer fails, and if the encoder is for pairs.
    pub fn windows(&self, text: &str) -> Result<Vec<Encoded>> {
        if self.pairs {
            return Err(failed("windows are cut from single texts".to_owned()));
        }
        let room = self.max_length.saturating_sub(self.template.added()).max(1);
        let ids = self.texts.all(text).map_err(failed)?;
        let window = |part: &[u32]| {
            let (ids, type_ids) = self.template.fill([part, &[]]);
            Encoded {
                ids,
                type_ids,
                truncated: false,
            }
        };
        Ok(ids.chunks(room).map(window).collect())
    }

    /// Encodes texts or pairs on all cores into one unlabelled batch, whose rows count from 0.
    ///
    /// # Errors
    /// The errors of [`encode`](Self::encode), and an error for more than 2^32 tokens.
    pub fn encode_batch<A, B>(&self, texts: &[(A, Option<B>)]) -> Result<PackedBatch>
    where
        A: AsRef<str> + Sync,
        B: AsRef<str> + Sync,
    {
        let encoded: Vec<Encoded> = texts
            .par_iter()
            .map(|(first, second)| self.encode(first.as_ref(), second.as_ref().map(B::as_ref)))
            .collect::<Result<_>>()?;
        let mut batch = BatchBuilder::new(Labels::None);
        for (row, encoded) in (0..).zip(encoded) {
            batch.ids.extend(encoded.ids);
            batch.type_ids.extend(encoded.type_ids);
            batch.close_row(row)?;
        }
        Ok(batch.finish())
    }
}

fn failed(message: String) -> Error {
    Error::Tokenize {
        place: "encoding".to_owned(),
        message,
    }
}

impl TextTokens {
    /// Returns more than `wanted` tokens of the side that is kept, or all tokens.
    fn tokens(&self, text: &str, wanted: usize, side: TruncationSide) -> Result<Tokens, String> {
        let mut size = BYTES_PER_TOKEN * (wanted + 1);
        let mut text = Cow::Borrowed(text);
        let mut is_squeezed = false;
        while let Some(safe_cut) = &self.safe_cut
            // A smaller saving is not worth the search.
            && size < text.len() / 2
        {
            if let Some(at) = safe_cut.cut(&text, size, side) {
                let (start, end) = text.split_at(at);
                let part = match side {
                    TruncationSide::Right => start,
                    TruncationSide::Left => end,
                };
                let ids = self.all(part)?;
                if ids.len() > wanted {
                    return Ok(Tokens { ids, more: true });
                }
                size = size.max(part.len());
            } else if is_squeezed {
                break;
            }
            // So few tokens from so many bytes mean overlong words.
            if !is_squeezed && let Cow::Owned(short) = safe_cut.squeeze(&text) {
                text = Cow::Owned(short);
            }
            is_squeezed = true;
            size *= 4;
        }
        let ids = self.all(&text)?;
        Ok(Tokens { ids, more: false })
    }

    /// Returns all tokens of a text.
    pub(crate) fn all(&self, text: &str) -> Result<Vec<u32>, String> {
        // The fast variant omits character offsets, which are not needed.
        let encoded = catching(|| self.tokenizer.encode_fast(text, false));
        let encoding = encoded?.map_err(|error| error.to_string())?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Returns where each token of a text is from, which is the first or second of a row.
    fn places(&self, content: &str, text: usize) -> Result<Vec<TokenPlace>, String> {
        let encoded = catching(|| self.tokenizer.encode(content, false));
        let encoding = encoded?.map_err(|error| error.to_string())?;
        let places = encoding.get_offsets().iter().zip(encoding.get_word_ids());
        let place = |(&(start, end), &word): (&(usize, usize), &Option<u32>)| TokenPlace {
            text,
            bytes: start..end,
            word,
        };
        Ok(places.map(place).collect())
    }

    /// Returns whether `first` has more tokens than `second`. They are counted piece by piece until
    /// the shorter one ends.
    fn is_longer(&self, first: &str, second: &str) -> Result<bool, String> {
        let squeeze = |text| match &self.safe_cut {
            Some(safe_cut) => safe_cut.squeeze(text),
            None => Cow::Borrowed(text),
        };
        let (first, second) = (squeeze(first), squeeze(second));
        let (mut first, mut second) = (Count::of(&first), Count::of(&second));
        loop {
            let first_is_ahead = first.tokens > second.tokens;
            match (first.is_done(), second.is_done()) {
                (true, true) => return Ok(first_is_ahead),
                (true, false) if !first_is_ahead => return Ok(false),
                (false, true) if first_is_ahead => return Ok(true),
                (true, _) => second.advance(self)?,
                (_, true) => first.advance(self)?,
                _ if first_is_ahead => second.advance(self)?,
                _ => first.advance(self)?,
            }
        }
    }
}

/// The number of tokens in the part of a text that has been counted.
struct Count<'a> {
    rest: &'a str,
    tokens: usize,
}

impl<'a> Count<'a> {
    fn of(text: &'a str) -> Self {
        Self {
            rest: text,
            tokens: 0,
        }
    }

    fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    fn advance(&mut self, texts: &TextTokens) -> Result<(), String> {
        let seam = texts.safe_cut.as_ref();
        let seam = seam.filter(|_| self.rest.len() > COUNTED_BYTES);
        let seam = seam.and_then(|cut| cut.seam(self.rest, COUNTED_BYTES));
        let (piece, rest) = self.rest.split_at(seam.unwrap_or(self.rest.len()));
        self.tokens += texts.all(piece)?.len();
        self.rest = rest;
        Ok(())
    }
}
