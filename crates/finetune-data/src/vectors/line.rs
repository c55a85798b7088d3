//! One line of a file of word vectors: a word and its numbers.

use std::path::Path;

use crate::{Error, Result};

/// A line that is not yet taken apart.
pub(super) struct RawLine<'a> {
    pub(super) path: &'a Path,
    /// Without the line ending.
    pub(super) bytes: &'a [u8],
    /// Counted from 1.
    pub(super) number: u64,
}

/// A line with its word; the numbers are elsewhere.
pub(super) struct Line<'a> {
    /// The word, if it is valid UTF-8.
    pub(super) word: Option<&'a str>,
    /// Number of the line, counted from 1.
    pub(super) number: u64,
}

impl<'a> RawLine<'a> {
    /// Parses the line, and puts its `width` numbers into `numbers`.
    pub(super) fn parse(self, width: usize, numbers: &mut Vec<f32>) -> Result<Line<'a>> {
        let bytes = self.bytes.trim_ascii_end();
        numbers.clear();
        // From the end, since a word may have blanks in it.
        let mut rest = bytes;
        for _ in 0..width {
            let Some(blank) = rest.iter().rposition(is_blank) else {
                return Err(self.error(format!(
                    "{} numbers follow the word; expected {width}, as on the other lines",
                    numbers.len()
                )));
            };
            let number = &rest[blank + 1..];
            let parsed = std::str::from_utf8(number)
                .ok()
                .and_then(|text| text.parse().ok());
            match parsed.filter(|number: &f32| number.is_finite()) {
                Some(parsed) => numbers.push(parsed),
                None => {
                    let found = String::from_utf8_lossy(number);
                    let (there, place) = (fields(bytes) - 1, width - numbers.len());
                    return Err(self.error(match there < width {
                        true => format!(
                            "{there} numbers follow the word; expected {width}, as on the other lines"
                        ),
                        false => format!(
                            "number {place} of {width} is {found:?}; expected a finite number, such as 0.25"
                        ),
                    }));
                }
            }
            rest = &rest[..blank];
        }
        numbers.reverse();
        if let Some(blank) = rest.iter().rposition(is_blank)
            && is_number(&rest[blank + 1..])
        {
            return Err(self.error(format!(
                "{} numbers follow the word; expected {width}, as on the other lines",
                fields(bytes) - 1
            )));
        }
        Ok(Line {
            word: std::str::from_utf8(rest).ok(),
            number: self.number,
        })
    }

    /// Returns how many numbers follow the word, or are at the end of the line.
    pub(super) fn width(&self) -> usize {
        let all = self.bytes.trim_ascii_end().rsplit(is_blank);
        let fields = fields(self.bytes.trim_ascii_end());
        all.take(fields.saturating_sub(1))
            .take_while(|field| is_number(field))
            .count()
    }

    /// Returns the two numbers of word2vec's header line: how many words there are, and of how many
    /// numbers.
    pub(super) fn header(&self) -> Option<(u64, usize)> {
        let text = std::str::from_utf8(self.bytes).ok()?;
        let mut fields = text.split_ascii_whitespace();
        let header = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        fields.next().is_none().then_some(header)
    }

    fn error(&self, message: String) -> Error {
        Error::Line {
            path: self.path.to_path_buf(),
            line: self.number,
            message,
        }
    }
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn fields(line: &[u8]) -> usize {
    line.split(is_blank).count()
}

fn is_number(field: &[u8]) -> bool {
    let text = std::str::from_utf8(field);
    text.is_ok_and(|text| text.parse::<f32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> RawLine<'_> {
        RawLine {
            path: Path::new("vectors.txt"),
            bytes: text.as_bytes(),
            number: 7,
        }
    }

    fn parsed(text: &str, width: usize) -> Result<(Option<&str>, Vec<f32>), String> {
        let mut numbers = Vec::new();
        match line(text).parse(width, &mut numbers) {
            Ok(line) => Ok((line.word, numbers)),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn words_and_numbers() {
        assert_eq!(
            parsed("film 1 -2.5", 2),
            Ok((Some("film"), vec![1.0, -2.5]))
        );
        assert_eq!(
            parsed("film\t1\t1e-3 \r", 2),
            Ok((Some("film"), vec![1.0, 1e-3]))
        );
        // As in GloVe's file of 840 billion tokens.
        assert_eq!(parsed(". . . 1 2", 2), Ok((Some(". . ."), vec![1.0, 2.0])));
        assert_eq!(parsed("1 2 3", 2), Ok((Some("1"), vec![2.0, 3.0])));
    }

    #[test]
    fn broken_lines_say_what_is_wrong() {
        for (text, words) in [
            ("film 1", "line 7: 1 numbers follow the word; expected 2"),
            ("film", "line 7: 0 numbers follow"),
            ("film 1 2 3", "line 7: 3 numbers follow"),
            ("film 1 2x", "number 2 of 2 is \"2x\""),
            ("film nan 2", "number 1 of 2 is \"nan\""),
            ("film 1 1e99", "number 2 of 2 is \"1e99\""),
        ] {
            let error = parsed(text, 2).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn widths_and_headers() {
        assert_eq!(line("film 1 2 3").width(), 3);
        assert_eq!(line(". . 1 2").width(), 2);
        assert_eq!(line("1 2 3").width(), 2);
        assert_eq!(line("400000 100").header(), Some((400_000, 100)));
        assert_eq!(line("film 1").header(), None);
        assert_eq!(line("5 1 2").header(), None);
    }
}
