//! Cuts long words, so that texts without blanks between words, which are one word each, are trained on too.

use super::word_counts::Counts;

/// The number of characters from which a word is cut: more than the words of a language have.
pub(crate) const LONGEST_WORD: usize = 100;

/// Counts the pieces of `words`, each with how often it occurs. A piece has at most [`LONGEST_WORD`] characters
/// and, if possible, does not end before a character that `continues` the one before it.
pub(super) fn cut<'a>(
    words: impl Iterator<Item = (&'a str, u64)>,
    continues: impl Fn(char) -> bool,
) -> Counts {
    let mut counts = Counts::new();
    for (word, count) in words {
        let mut rest = word;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(end_of_piece(rest, &continues));
            *counts.entry(piece.into()).or_default() += count;
            rest = after;
        }
    }
    counts
}

/// Returns where the first piece of a word ends.
fn end_of_piece(word: &str, continues: impl Fn(char) -> bool) -> usize {
    let Some((limit, _)) = word.char_indices().nth(LONGEST_WORD) else {
        return word.len();
    };
    let places = word.char_indices().skip(1).take(LONGEST_WORD);
    let whole = places.filter(|(_, next)| !continues(*next)).last();
    whole.map_or(limit, |(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_words_are_cut_and_short_ones_are_not() {
        let long = "漢".repeat(2 * LONGEST_WORD + 1);
        let words = [("漢", 2), ("word", 3), (long.as_str(), 5)];
        let mut counts: Vec<_> = cut(words.into_iter(), |_| false).into_iter().collect();
        counts.sort();
        let hundred = "漢".repeat(LONGEST_WORD);
        let expected = [("word", 3), ("漢", 7), (hundred.as_str(), 10)];
        assert_eq!(counts, expected.map(|(word, count)| (word.into(), count)));
    }

    #[test]
    fn what_belongs_together_stays_together() {
        let word = "abb".repeat(LONGEST_WORD);
        for (piece, _) in cut([(word.as_str(), 1)].into_iter(), |c| c == 'b') {
            assert!(piece.starts_with('a') && piece.ends_with("bb"), "{piece}");
            assert!(piece.len() <= LONGEST_WORD, "{piece}");
        }
        // There is no better place.
        let ends = end_of_piece(&"b".repeat(2 * LONGEST_WORD), |c| c == 'b');
        assert_eq!(ends, LONGEST_WORD);
    }
}
