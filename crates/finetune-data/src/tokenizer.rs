use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use tokenizers::utils::truncation::{TruncationDirection, TruncationParams, TruncationStrategy};
use tokenizers::{PostProcessor as _, Tokenizer};

use crate::batch::{BatchLabels, PackedBatch};
use crate::{Error, Result};

/// A `tokenizer.json`, as transformers' fast tokenizers write it. Cheap to clone.
///
/// Its padding and truncation settings are ignored: batches have no padding, and the maximum length
/// is chosen with [`encoder`](Self::encoder).
#[derive(Clone)]
pub struct TextTokenizer {
    inner: Arc<Tokenizer>,
    hash: [u8; 32],
    vocab_size: usize,
}

impl std::fmt::Debug for TextTokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextTokenizer")
            .field("vocab_size", &self.vocab_size)
            .finish_non_exhaustive()
    }
}

impl TextTokenizer {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// The file cannot be read or is not a tokenizer.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, "read", e))?;
        Self::new(&bytes, path.display().to_string())
    }

    /// Reads the bytes of a `tokenizer.json`.
    ///
    /// # Errors
    /// The bytes are not a tokenizer.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::new(bytes, "tokenizer".to_owned())
    }

    fn new(bytes: &[u8], origin: String) -> Result<Self> {
        let error = |message: String| Error::Tokenizer {
            origin: origin.clone(),
            message,
        };
        let mut inner = Tokenizer::from_bytes(bytes).map_err(|e| error(e.to_string()))?;
        inner.with_padding(None);
        inner
            .with_truncation(None)
            .map_err(|e| error(e.to_string()))?;
        let largest = inner.get_vocab(true).into_values().max();
        let Some(largest) = largest else {
            return Err(error("the vocabulary is empty".to_owned()));
        };
        let vocab_size = largest as usize + 1;
        Ok(Self {
            inner: Arc::new(inner),
            hash: Sha256::digest(bytes).into(),
            vocab_size,
        })
    }

    /// Largest token id plus one, added tokens included: the least number of rows that an embedding
    /// table needs.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// SHA-256 of the `tokenizer.json`.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// Id of a token, if the vocabulary has it.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The token of an id, if the vocabulary has it.
    pub fn id_to_token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// Special tokens that are added to a row of one text, or of a pair.
    pub fn num_special_tokens(&self, pair: bool) -> usize {
        self.inner
            .get_post_processor()
            .map_or(0, |p| p.added_tokens(pair))
    }

    /// An encoder that cuts rows at `max_length` tokens, special tokens included; of a pair the longer
    /// text is cut first (`longest_first`). `pairs` says whether rows have two texts.
    ///
    /// # Errors
    /// A maximum length without room for a token of each text.
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
        let mut inner = (*self.inner).clone();
        let truncation = TruncationParams {
            direction: TruncationDirection::Right,
            max_length,
            strategy: TruncationStrategy::LongestFirst,
            stride: 0,
        };
        inner
            .with_truncation(Some(truncation))
            .map_err(|e| Error::Tokenizer {
                origin: "tokenizer".to_owned(),
                message: e.to_string(),
            })?;
        Ok(TextEncoder {
            inner: Arc::new(inner),
            max_length,
            pairs,
        })
    }
}

/// A tokenizer with a maximum length. Cheap to clone.
#[derive(Clone)]
pub struct TextEncoder {
    inner: Arc<Tokenizer>,
    max_length: usize,
    pairs: bool,
}

impl std::fmt::Debug for TextEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextEncoder")
            .field("max_length", &self.max_length)
            .field("pairs", &self.pairs)
            .finish_non_exhaustive()
    }
}

/// One encoded row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Token ids with special tokens.
    pub ids: Vec<u32>,
    /// 0 for the first text, 1 for the second.
    pub type_ids: Vec<u32>,
    /// Was text cut off?
    pub truncated: bool,
}

impl TextEncoder {
    /// The maximum length in tokens, special tokens included.
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// Encodes one text or pair.
    ///
    /// # Errors
    /// The tokenizer fails, or a second text is given or missing against
    /// [`TextTokenizer::encoder`]'s `pairs`.
    pub fn encode(&self, first: &str, second: Option<&str>) -> Result<Encoded> {
        if second.is_some() != self.pairs {
            let (expected, found) = if self.pairs { (2, 1) } else { (1, 2) };
            let message = format!("expected {expected} text(s) in the row, found {found}");
            return Err(Error::Tokenize {
                place: "encoding".to_owned(),
                message,
            });
        }
        // The fast variant leaves out the character offsets, which nothing here needs.
        let encoding = match second {
            None => self.inner.encode_fast(first, true),
            Some(second) => self.inner.encode_fast((first, second), true),
        };
        let encoding = encoding.map_err(|e| Error::Tokenize {
            place: "encoding".to_owned(),
            message: e.to_string(),
        })?;
        Ok(Encoded {
            ids: encoding.get_ids().to_vec(),
            type_ids: encoding.get_type_ids().to_vec(),
            truncated: !encoding.get_overflowing().is_empty(),
        })
    }

    /// Encodes texts or pairs on all cores into one unlabelled batch; rows count from 0.
    ///
    /// # Errors
    /// As [`encode`](Self::encode); more than 2^32 tokens.
    pub fn encode_batch<A, B>(&self, texts: &[(A, Option<B>)]) -> Result<PackedBatch>
    where
        A: AsRef<str> + Sync,
        B: AsRef<str> + Sync,
    {
        let encoded: Vec<Encoded> = texts
            .par_iter()
            .map(|(first, second)| self.encode(first.as_ref(), second.as_ref().map(B::as_ref)))
            .collect::<Result<_>>()?;
        let mut batch = PackedBatch::new(BatchLabels::None);
        for (row, encoded) in (0..).zip(encoded) {
            batch.ids.extend(encoded.ids);
            batch.type_ids.extend(encoded.type_ids);
            batch.close_row(row)?;
        }
        Ok(batch)
    }
}
