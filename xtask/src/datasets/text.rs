//! Cleans raw text, and computes the key by which two texts count as the same.

use sha2::{Digest, Sha256};

/// Resolves the three HTML entities that the sources use and turns every run of white space (line
/// breaks, no-break spaces) into one space, with none at the ends.
#[must_use]
pub fn clean(raw: &str) -> String {
    // `&amp;` comes last, so that `&amp;lt;` becomes `&lt;` and is not resolved twice.
    let text = raw
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the lowercased letters and digits of `text`, which are equal for texts that differ only
/// in case, punctuation or spacing. Empty if the text has neither letters nor digits.
#[must_use]
pub fn normalized(text: &str) -> String {
    text.chars()
        .flat_map(char::to_lowercase)
        .filter(|c| c.is_alphanumeric())
        .collect()
}

/// Returns the SHA-256 of `bytes` as lowercase hex.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_and_white_space_are_resolved_once() {
        assert_eq!(clean(" PB&amp;J \u{a0} is\t&lt;3 \r\n"), "PB&J is <3");
        assert_eq!(clean("&amp;lt;"), "&lt;");
        assert_eq!(clean("Château, 9 ½ Weeks"), "Château, 9 ½ Weeks");
    }

    #[test]
    fn case_punctuation_and_spacing_do_not_count() {
        assert_eq!(
            normalized("YAY!! Good phone-interview."),
            "yaygoodphoneinterview"
        );
        assert_eq!(normalized("Crème BRÛLÉE"), "crèmebrûlée");
        assert_eq!(normalized("?!… :)"), "");
        assert_ne!(normalized("9 weeks"), normalized("8 weeks"));
    }

    #[test]
    fn hashes_are_hex() {
        assert_eq!(
            sha256_hex(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
