//! The folded form of a text, in which texts are the same that a reader takes for the same.

use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfkc_quick};

/// Returns a text in Unicode's compatibility form (NFKC) and lower case, without characters that do not
/// show, with one blank between words and none at the ends.
pub(crate) fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank = false;
    let mut push = |c: char| {
        if c.is_whitespace() {
            blank = !out.is_empty();
        } else if !is_invisible(c) {
            if std::mem::take(&mut blank) {
                out.push(' ');
            }
            out.push(c);
        }
    };
    let lower = text.chars().flat_map(char::to_lowercase);
    match text.is_ascii() || is_nfkc_quick(text.chars()) == IsNormalized::Yes {
        true => lower.for_each(&mut push),
        false => text.nfkc().flat_map(char::to_lowercase).for_each(&mut push),
    }
    out
}

/// Whether a character takes no room: control and format characters, marks of writing direction, soft
/// hyphens and byte-order marks.
pub(crate) fn is_invisible(c: char) -> bool {
    (c.is_control() && !c.is_whitespace())
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_the_same_is_the_same() {
        for text in [
            "A  good\tfilm",
            " a good film\u{200b} ",
            "\u{feff}A GOOD\u{a0}FILM",
            "Ａ good film",
        ] {
            assert_eq!(folded(text), "a good film", "{text:?}");
        }
        assert_eq!(folded("e\u{301}t\u{e9}"), "été");
        assert_eq!(folded(" \u{200b}\n"), "");
        assert_ne!(folded("a good film."), folded("a good film"));
    }
}
