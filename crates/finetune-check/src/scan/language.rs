//! The language of a text, where it is certain.

use whatlang::Lang;

/// Fewest letters of a text whose language is told. In shorter ones the detector is sometimes
/// certain of a wrong language.
const FEWEST_LETTERS: usize = 100;
/// Letters that are looked at; more do not change the answer.
const MOST_LETTERS: usize = 300;

/// Returns the language of a text; `None` if the text is short or the language is not certain.
pub(crate) fn language(text: &str) -> Option<Lang> {
    let mut letters = 0;
    let end = text.char_indices().find(|(_, c)| {
        letters += usize::from(c.is_alphabetic());
        letters > MOST_LETTERS
    });
    if letters < FEWEST_LETTERS {
        return None;
    }
    let start = &text[..end.map_or(text.len(), |(at, _)| at)];
    let found = whatlang::detect(start)?;
    found.is_reliable().then(|| found.lang())
}
