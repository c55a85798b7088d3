//! Faults that a text shows by itself.

use encoding_rs::WINDOWS_1252;

use crate::scan::fold::is_invisible;

/// A fault of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing in it can be seen.
    Empty,
    /// It has no letter.
    NoLetters,
    /// UTF-8 that was read as Windows-1252.
    Mojibake,
    /// U+FFFD, which stands for bytes that could not be read.
    Replacement,
    /// Control or invisible characters.
    Control,
    /// An entity of HTML.
    Entity,
    /// A tag of HTML.
    Tag,
}

/// The faults of a text, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults(u8);

impl Faults {
    pub(crate) fn has(self, fault: Fault) -> bool {
        self.0 & (1 << fault as u8) != 0
    }

    fn add(&mut self, fault: Fault) {
        self.0 |= 1 << fault as u8;
    }

    /// Finds the faults of a text.
    pub(crate) fn of(text: &str) -> Self {
        let mut faults = Self::default();
        let (mut visible, mut letters, mut ascii) = (false, false, true);
        for c in text.chars() {
            visible |= !c.is_whitespace() && !is_invisible(c);
            letters |= c.is_alphabetic();
            ascii &= c.is_ascii();
            if c == '\u{fffd}' {
                faults.add(Fault::Replacement);
            }
            // The joiners belong to emoji and to the scripts of India and Persia.
            if is_invisible(c) && !matches!(c, '\u{200c}' | '\u{200d}' | '\u{ad}') {
                faults.add(Fault::Control);
            }
        }
        match (visible, letters) {
            (false, _) => faults.add(Fault::Empty),
            (true, false) => faults.add(Fault::NoLetters),
            (true, true) => {}
        }
        if !ascii && has_mojibake(text) {
            faults.add(Fault::Mojibake);
        }
        if has_entity(text) {
            faults.add(Fault::Entity);
        }
        if has_tag(text) {
            faults.add(Fault::Tag);
        }
        faults
    }
}

/// Whether some characters are those that the bytes of one character in UTF-8 have in Windows-1252, such as
/// `Ã©` for é.
fn has_mojibake(text: &str) -> bool {
    let mut rest = text.chars();
    while let Some(lead) = rest.next() {
        let more = match byte(lead) {
            Some(0xc2..=0xdf) => 1,
            Some(0xe0..=0xef) => 2,
            Some(0xf0..=0xf4) => 3,
            _ => continue,
        };
        let mut bytes = vec![byte(lead).unwrap_or_default()];
        bytes.extend(rest.clone().take(more).map_while(byte));
        let continues = bytes.len() == more + 1 && std::str::from_utf8(&bytes).is_ok();
        // French has a no-break space inside its quotes, as in `voilà »`.
        let is_french = more > 1 && bytes.get(1) == Some(&0xa0);
        if continues && !is_french {
            return true;
        }
    }
    false
}

/// Returns the byte of a character in Windows-1252, if it has one beyond ASCII.
fn byte(c: char) -> Option<u8> {
    if c.is_ascii() {
        return None;
    }
    let mut buffer = [0; 4];
    let (bytes, _, failed) = WINDOWS_1252.encode(c.encode_utf8(&mut buffer));
    match (&*bytes, failed) {
        ([byte], false) => Some(*byte),
        _ => None,
    }
}

/// The named entities that occur in practice.
const ENTITIES: [&str; 22] = [
    "amp", "lt", "gt", "quot", "apos", "nbsp", "copy", "reg", "trade", "hellip", "mdash", "ndash",
    "lsquo", "rsquo", "ldquo", "rdquo", "bull", "eacute", "euro", "pound", "laquo", "raquo",
];

fn has_entity(text: &str) -> bool {
    text.match_indices('&').any(|(at, _)| {
        let rest = &text[at + 1..];
        let end = rest.bytes().take(10).position(|byte| byte == b';');
        let Some(name) = end.and_then(|end| rest.get(..end)) else {
            return false;
        };
        let digits = |digits: &str, hex: bool| {
            let is = |c: char| {
                if hex {
                    c.is_ascii_hexdigit()
                } else {
                    c.is_ascii_digit()
                }
            };
            !digits.is_empty() && digits.chars().all(is)
        };
        match name.strip_prefix('#') {
            Some(number) => match number.strip_prefix(['x', 'X']) {
                Some(hex) => digits(hex, true),
                None => digits(number, false),
            },
            None => ENTITIES.contains(&name),
        }
    })
}

/// The tags that occur in texts from web pages.
const TAGS: [&str; 26] = [
    "a",
    "b",
    "blockquote",
    "body",
    "br",
    "code",
    "div",
    "em",
    "font",
    "h1",
    "h2",
    "h3",
    "hr",
    "html",
    "i",
    "img",
    "li",
    "ol",
    "p",
    "pre",
    "script",
    "span",
    "strong",
    "table",
    "td",
    "ul",
];

fn has_tag(text: &str) -> bool {
    text.match_indices('<').any(|(at, _)| {
        let rest = &text[at + 1..];
        let closes = rest.starts_with('/');
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric());
        let Some(end) = end else { return false };
        let name = rest[..end].to_ascii_lowercase();
        let after = &rest[end..];
        // An attribute, or the end; `a < b >` and `i <b and` are no tags.
        let ends = after.starts_with('>')
            || after.trim_start().starts_with("/>")
            || (!closes
                && after.starts_with(' ')
                && after
                    .find('>')
                    .is_some_and(|end| after[..end].contains('=')));
        ends && TAGS.contains(&name.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn only(text: &str, fault: Fault) {
        assert!(Faults::of(text).has(fault), "{text:?}");
        assert_eq!(Faults::of(text).0, 1 << fault as u8, "{text:?}");
    }

    #[test]
    fn each_fault_is_told_from_the_others() {
        for text in ["", " \n", "\u{a0}\u{3000}"] {
            only(text, Fault::Empty);
        }
        only("1 234 !!", Fault::NoLetters);
        for text in [
            "trÃ¨s bon cafÃ©",
            "itâ€™s good",
            "Ã\u{a0} bientÃ´t",
            "a Â£5 ticket",
            "ðŸ˜€ good",
        ] {
            only(text, Fault::Mojibake);
        }
        only("caf\u{fffd} au lait", Fault::Replacement);
        for text in ["a\u{0}b", "\u{feff}text", "a\u{200b}b", "\u{1b}[31mred"] {
            only(text, Fault::Control);
        }
        for text in ["this &amp; that", "it&#39;s", "it&#x27;s"] {
            only(text, Fault::Entity);
        }
        for text in [
            "good<br />film",
            "<p>text</p>",
            "<a href=\"x\">here</a>",
            "bold</B>",
        ] {
            only(text, Fault::Tag);
        }
    }

    #[test]
    fn good_texts_have_no_fault() {
        for text in [
            "A good film.",
            "Café, naïve, Ärger, façade, señor",
            "AT&T; R&D and Q&A; salt & pepper;",
            "if a < b and b > c then i <b or p > q",
            "x <3 you, <unknown> and <user>",
            "voilà\u{a0}» et «\u{a0}là\u{a0}»",
            "É um país à beira-mar, já não é",
            "👩\u{200d}👩\u{200d}👧 a family",
            "line\nbreak\tand tab\r\n",
            "很好的电影",
            "Ελληνικά και русский",
        ] {
            assert_eq!(Faults::of(text), Faults::default(), "{text:?}");
        }
    }
}
