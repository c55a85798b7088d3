//! Tokenizers, loaded from a `tokenizer.json` or a model directory.

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokenizers::utils::truncation::TruncationDirection;
use tokenizers::{PostProcessorWrapper, Tokenizer};

use crate::read::regular_file::is_there;
use crate::tokens::caught::catching;
use crate::tokens::safe_cut::SafeCut;
use crate::tokens::template::Template;
use crate::tokens::text_encoder::{TextEncoder, TextTokens};
use crate::tokens::tokenized::hex;
use crate::tokens::tokenizer_directory::Files;
use crate::{Error, Note, Result, TruncationSide, TruncationStrategy};

/// A tokenizer in the format of transformers' fast tokenizers: a `tokenizer.json`, or the files of
/// a model directory together. Cloning is cheap.
///
/// The padding and the truncation length in a `tokenizer.json` are ignored: batches have no
/// padding, and the maximum length is an argument of [`encoder`](Self::encoder).
#[derive(Clone)]
pub struct TextTokenizer {
    pub(crate) texts: Arc<TextTokens>,
    single: Arc<Template>,
    pair: Arc<Template>,
    side: TruncationSide,
    hash: [u8; 32],
    vocab_size: usize,
    model_max_length: Option<usize>,
    /// The mask token that the files of a directory name.
    pub(crate) mask_token: Option<String>,
    notes: Arc<[Note]>,
}

impl std::fmt::Debug for TextTokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextTokenizer")
            .field("vocab_size", &self.vocab_size)
            .finish_non_exhaustive()
    }
}

impl TextTokenizer {
    /// Reads the tokenizer of a model directory as transformers' `AutoTokenizer` does:
    /// `tokenizer.json`, or else the vocabulary files of a BERT or RoBERTa, combined with
    /// `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json` where they exist.
    /// If these contradict `tokenizer.json`, [`notes`](Self::notes) say which one is followed.
    ///
    /// # Errors
    /// Fails if the files cannot be read or are not a tokenizer.
    pub fn from_directory(directory: impl AsRef<Path>) -> Result<Self> {
        let directory = directory.as_ref();
        let path = directory.join("tokenizer.json");
        // Damage is an error even in a part that other files would override.
        let own = match is_there(&path)? {
            true => {
                let bytes = std::fs::read(&path).map_err(|e| Error::io(&path, "read", e))?;
                Some((Self::new(&bytes, path.display().to_string())?, bytes))
            }
            false => None,
        };
        let parsed = own.as_ref();
        let parsed = parsed.map(|(own, bytes)| (&bytes[..], &own.texts.tokenizer));
        let files = Files::read(directory, parsed)?;
        let tokenizer = match (&files.json, own) {
            (None, Some((own, _))) => own,
            (json, _) => Self::new(json.as_deref().unwrap_or_default(), files.origin)?,
        };
        let side = files.side.unwrap_or(tokenizer.side);
        let mut tokenizer = tokenizer.with_side(side);
        let mut notes = files.notes;
        let untyped = tokenizer.pair.without_types();
        if !files.token_types && *tokenizer.pair != untyped {
            tokenizer.pair = Arc::new(untyped);
            tokenizer.hash = hash_with(tokenizer.hash, "no token types");
            notes.extend(files.no_types_note);
        }
        tokenizer.model_max_length = files.model_max_length;
        tokenizer.mask_token = files.mask_token;
        tokenizer.notes = notes.into();
        if files.split_special_tokens {
            let mut texts = tokenizer.texts.tokenizer.clone();
            texts.set_encode_special_tokens(true);
            tokenizer.texts = Arc::new(TextTokens {
                tokenizer: texts,
                // A cut does not know which added tokens are recognised in texts.
                safe_cut: None,
            });
            tokenizer.hash = hash_with(tokenizer.hash, "split_special_tokens");
        }
        Ok(tokenizer)
    }

    /// Reads a single `tokenizer.json`.
    ///
    /// # Errors
    /// Fails if the file cannot be read or is not a tokenizer.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, "read", e))?;
        Self::new(&bytes, path.display().to_string())
    }

    /// Parses the contents of a `tokenizer.json`.
    ///
    /// # Errors
    /// Fails if the bytes are not a tokenizer.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::new(bytes, "tokenizer".to_owned())
    }

    fn new(bytes: &[u8], origin: String) -> Result<Self> {
        let error = |message: String| Error::Tokenizer {
            origin: origin.clone(),
            message,
        };
        let damaged = |_| {
            error(
                "its parts contradict each other; it may be damaged: fetch or save it again"
                    .to_owned(),
            )
        };
        let read = catching(|| Tokenizer::from_bytes(bytes)).map_err(damaged)?;
        let mut tokenizer = read.map_err(|e| error(e.to_string()))?;
        let side = match tokenizer.get_truncation().map(|params| params.direction) {
            Some(TruncationDirection::Left) => TruncationSide::Left,
            _ => TruncationSide::Right,
        };
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|e| error(e.to_string()))?;
        let processor = tokenizer.get_post_processor().cloned();
        tokenizer.with_post_processor(None::<PostProcessorWrapper>);
        let template = |texts| Template::of(processor.as_ref(), texts).map_err(error);
        let (single, pair) = (template(1)?, template(2)?);
        let vocabulary = catching(|| tokenizer.get_vocab(true)).map_err(damaged)?;
        let Some(largest) = vocabulary.into_values().max() else {
            return Err(error("the vocabulary is empty".to_owned()));
        };
        let special = single.largest_id().max(pair.largest_id());
        let vocab_size = largest.max(special.unwrap_or(0)) as usize + 1;
        let safe_cut = catching(|| SafeCut::of(&tokenizer)).map_err(damaged)?;
        let tokenizer = Self {
            texts: Arc::new(TextTokens {
                tokenizer,
                safe_cut,
            }),
            single: Arc::new(single),
            pair: Arc::new(pair),
            side: TruncationSide::Right,
            hash: Sha256::digest(bytes).into(),
            vocab_size,
            model_max_length: None,
            mask_token: None,
            notes: [].into(),
        };
        Ok(tokenizer.with_side(side))
    }

    /// Returns the same tokenizer with texts cut at this side.
    #[must_use]
    pub fn with_side(mut self, side: TruncationSide) -> Self {
        self.side = side;
        self
    }

    /// Returns the largest token id plus one, added tokens included: the minimum number of rows of
    /// an embedding table.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// Returns the SHA-256 of the `tokenizer.json` or, where more files decide the tokens, of
    /// everything that does.
    pub fn hash(&self) -> [u8; 32] {
        match self.side {
            TruncationSide::Right => self.hash,
            // A tokenizer that gives other tokens for the same texts needs another hash.
            TruncationSide::Left => hash_with(self.hash, "left"),
        }
    }

    /// Returns the [`hash`](Self::hash) in hexadecimal.
    pub fn hash_hex(&self) -> String {
        hex(&self.hash())
    }

    /// Returns what the user should know about the files of a directory.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Returns the maximum row length in tokens that `tokenizer_config.json` specifies
    /// (`model_max_length`).
    pub fn model_max_length(&self) -> Option<usize> {
        self.model_max_length
    }

    /// Returns the side at which texts are cut.
    pub fn truncation_side(&self) -> TruncationSide {
        self.side
    }

    /// Returns the id of a token, if it is in the vocabulary.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.texts.tokenizer.token_to_id(token)
    }

    /// Returns the id of the mask token: the one that the tokenizer's files name, or else `[MASK]` or
    /// `<mask>`, if it is in the vocabulary.
    pub fn mask_token_id(&self) -> Option<u32> {
        let named = self.mask_token.iter().map(String::as_str);
        named
            .chain(["[MASK]", "<mask>"])
            .find_map(|token| self.token_to_id(token))
    }

    /// Returns the token of an id, if it is in the vocabulary.
    pub fn id_to_token(&self, id: u32) -> Option<String> {
        self.texts.tokenizer.id_to_token(id)
    }

    /// Returns the text of some tokens, with or without the special tokens among them.
    ///
    /// # Errors
    /// Fails if the tokenizer cannot decode them.
    pub fn decode(&self, ids: &[u32], skip_special_tokens: bool) -> Result<String> {
        let tokenizer = &self.texts.tokenizer;
        let decoded = catching(|| tokenizer.decode(ids, skip_special_tokens));
        let decoded = decoded.and_then(|text| text.map_err(|error| error.to_string()));
        decoded.map_err(|message| Error::Tokenize {
            place: "decoding".to_owned(),
            message,
        })
    }

    /// Returns the number of special tokens that are added to a row of one text or of a pair.
    pub fn num_special_tokens(&self, pair: bool) -> usize {
        self.template(pair).added()
    }

    pub(crate) fn template(&self, pair: bool) -> &Arc<Template> {
        if pair { &self.pair } else { &self.single }
    }

    /// Creates an encoder that cuts rows at `max_length` tokens, special tokens included. The
    /// longer text of a pair is cut first (`longest_first`), unless
    /// [`TextEncoder::with_truncation`] says otherwise. `pairs` says whether rows have two texts.
    ///
    /// # Errors
    /// Fails if `max_length` leaves no room for one token of each text.
    pub fn encoder(&self, max_length: usize, pairs: bool) -> Result<TextEncoder> {
        let added = self.num_special_tokens(pairs);
        let texts = if pairs { 2 } else { 1 };
        if max_length < added + texts {
            return Err(Error::MaxLength {
                max_length,
                added,
                texts,
            });
        }
        Ok(TextEncoder {
            texts: Arc::clone(&self.texts),
            template: Arc::clone(self.template(pairs)),
            max_length,
            pairs,
            strategy: TruncationStrategy::default(),
            side: self.side,
        })
    }
}

fn hash_with(hash: [u8; 32], more: &str) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(hash);
    hasher.update(more);
    hasher.finalize().into()
}
