//! The special tokens that a tokenizer's post-processor adds to texts.

use std::collections::HashMap;

use tokenizers::{Encoding, PostProcessor, PostProcessorWrapper};

use crate::tokens::caught::catching;

/// The special tokens around one text, or around and between two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    /// All tokens of text 0 or 1.
    Text { text: usize, type_id: u32 },
    /// A special token.
    Special { id: u32, type_id: u32 },
}

impl Template {
    /// Derives the template from what the post-processor does to texts of one marked token each. An
    /// error says what is wrong with the post-processor.
    pub(crate) fn of(
        processor: Option<&PostProcessorWrapper>,
        texts: usize,
    ) -> Result<Self, String> {
        let Some(processor) = processor else {
            let text = |text| Piece::Text {
                text,
                type_id: text as u32,
            };
            return Ok(Self((0..texts).map(text).collect()));
        };
        let second = (texts == 2).then(|| marked(1));
        let processed = catching(|| processor.process(marked(0), second, true));
        let encoding = match processed {
            Ok(processed) => processed.map_err(|error| format!("its post_processor: {error}"))?,
            Err(_) => {
                return Err(
                    "its post_processor names a token that it does not define, or is incomplete"
                        .to_owned(),
                );
            }
        };
        let tokens = encoding.get_ids().iter().zip(encoding.get_type_ids());
        let pieces = tokens.zip(encoding.get_word_ids());
        let piece = |((&id, &type_id), word): ((&u32, &u32), &Option<u32>)| match word {
            Some(text) => Piece::Text {
                text: *text as usize,
                type_id,
            },
            None => Piece::Special { id, type_id },
        };
        let pieces: Vec<Piece> = pieces.map(piece).collect();
        for text in 0..texts {
            let is_it = |piece: &&Piece| matches!(piece, Piece::Text { text: t, .. } if *t == text);
            let count = pieces.iter().filter(is_it).count();
            if count != 1 {
                return Err(format!(
                    "its post_processor uses text {} of {texts} {count} times; expected once",
                    text + 1
                ));
            }
        }
        Ok(Self(pieces))
    }

    /// Returns the same template with type id 0 throughout.
    pub(crate) fn without_types(&self) -> Self {
        let piece = |piece: &Piece| match *piece {
            Piece::Text { text, .. } => Piece::Text { text, type_id: 0 },
            Piece::Special { id, .. } => Piece::Special { id, type_id: 0 },
        };
        Self(self.0.iter().map(piece).collect())
    }

    /// Returns the number of special tokens that it adds.
    pub(crate) fn added(&self) -> usize {
        let is_special = |piece: &&Piece| matches!(piece, Piece::Special { .. });
        self.0.iter().filter(is_special).count()
    }

    /// Returns the ids of its special tokens.
    pub(crate) fn special_ids(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().filter_map(|piece| match *piece {
            Piece::Special { id, .. } => Some(id),
            Piece::Text { .. } => None,
        })
    }

    /// Returns the largest id of its special tokens.
    pub(crate) fn largest_id(&self) -> Option<u32> {
        self.special_ids().max()
    }

    /// Returns an item for each token of a row: those of the texts' tokens, and `special` for special ones.
    pub(crate) fn arrange<T: Clone>(&self, texts: [&[T]; 2], special: &T) -> Vec<T> {
        let mut arranged = Vec::new();
        for piece in &self.0 {
            match *piece {
                Piece::Text { text, .. } => arranged.extend_from_slice(texts[text]),
                Piece::Special { .. } => arranged.push(special.clone()),
            }
        }
        arranged
    }

    /// Returns the ids and type ids of a row with these texts.
    pub(crate) fn fill(&self, texts: [&[u32]; 2]) -> (Vec<u32>, Vec<u32>) {
        let length = self.added() + texts[0].len() + texts[1].len();
        let (mut ids, mut types) = (Vec::with_capacity(length), Vec::with_capacity(length));
        for piece in &self.0 {
            match *piece {
                Piece::Text { text, type_id } => {
                    ids.extend_from_slice(texts[text]);
                    types.resize(ids.len(), type_id);
                }
                Piece::Special { id, type_id } => {
                    ids.push(id);
                    types.push(type_id);
                }
            }
        }
        (ids, types)
    }
}

/// Creates a text of one token whose word index tells it from special tokens.
fn marked(text: u32) -> Encoding {
    Encoding::new(
        vec![0],
        vec![text],
        vec![String::new()],
        vec![Some(text)],
        vec![(0, 0)],
        vec![0],
        vec![1],
        Vec::new(),
        HashMap::<usize, std::ops::Range<usize>>::new()
            .into_iter()
            .collect(),
    )
}
