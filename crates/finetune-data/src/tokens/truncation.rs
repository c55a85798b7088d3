//! Decides how many tokens of each text are kept, as Hugging Face's tokenizers do.

use serde::{Deserialize, Serialize};

/// The text of a pair that is cut when both together are too long, with the names of transformers'
/// `truncation=`. For a single text, all but [`OnlySecond`](Self::OnlySecond) mean the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TruncationStrategy {
    /// The longer text first, until both have the same length.
    #[default]
    LongestFirst,
    /// Only the first text.
    OnlyFirst,
    /// Only the second text.
    OnlySecond,
}

/// The end at which a text is cut, called `truncation_side` in transformers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TruncationSide {
    /// Tokens at the start are dropped.
    Left,
    /// Tokens at the end are dropped.
    #[default]
    Right,
}

/// Returns how many tokens of two texts with `first` and `second` tokens are kept if there is room
/// for `room` tokens in total. Lengths above `room` may be given as any number above `room`;
/// `first_is_longer` says which text is actually longer. The result is `None` if the text that may
/// be cut is too short.
pub(crate) fn kept(
    strategy: TruncationStrategy,
    first: usize,
    second: usize,
    room: usize,
    first_is_longer: bool,
) -> Option<(usize, usize)> {
    if first + second <= room {
        return Some((first, second));
    }
    match strategy {
        TruncationStrategy::LongestFirst => {
            let short = first.min(second);
            // The shorter text is kept whole, or both get half and the longer one also the odd
            // token.
            let short = if 2 * short <= room { short } else { room / 2 };
            Some(match first_is_longer {
                true => (room - short, short),
                false => (short, room - short),
            })
        }
        TruncationStrategy::OnlyFirst => (second < room).then(|| (room - second, second)),
        TruncationStrategy::OnlySecond => (first < room).then(|| (first, room - first)),
    }
}

/// Returns whether [`kept`] needs to know which text is longer although both exceed `room`.
pub(crate) fn order_matters(
    strategy: TruncationStrategy,
    first: usize,
    second: usize,
    room: usize,
) -> bool {
    let both = first > room && second > room;
    strategy == TruncationStrategy::LongestFirst && both && !room.is_multiple_of(2)
}

#[cfg(test)]
mod tests {
    use tokenizers::utils::truncation::{
        TruncationParams, TruncationStrategy as Theirs, truncate_encodings,
    };
    use tokenizers::{Encoding, Token};

    use super::*;

    fn encoding(length: usize) -> Encoding {
        let token = |id: usize| Token::new(id as u32, String::new(), (0, 0));
        Encoding::from_tokens((0..length).map(token).collect(), 0)
    }

    /// Compares all lengths up to 12 and rooms up to 11 with the function that Python calls.
    #[test]
    fn as_tokenizers_counts() {
        let strategies = [
            (TruncationStrategy::LongestFirst, Theirs::LongestFirst),
            (TruncationStrategy::OnlyFirst, Theirs::OnlyFirst),
            (TruncationStrategy::OnlySecond, Theirs::OnlySecond),
        ];
        for (ours, strategy) in strategies {
            for (first, second, room) in (0..13)
                .flat_map(|a| (0..13).flat_map(move |b| (2..12).map(move |room| (a, b, room))))
            {
                let params = TruncationParams {
                    max_length: room,
                    strategy,
                    ..TruncationParams::default()
                };
                let expected =
                    truncate_encodings(encoding(first), Some(encoding(second)), &params).ok();
                let expected = expected.map(|(a, b)| (a.len(), b.map_or(0, |b| b.len())));
                let longer = first > second;
                let found = kept(ours, first, second, room, longer);
                assert_eq!(found, expected, "{ours:?} {first} {second} {room}");
                // All that is known of long texts is that they are too long.
                let (a, b) = (first.min(room + 1), second.min(room + 1));
                let longer = match order_matters(ours, a, b, room) {
                    true => longer,
                    false => a > b,
                };
                assert_eq!(kept(ours, a, b, room, longer), expected);
            }
        }
    }
}
