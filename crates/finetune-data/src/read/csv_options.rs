//! The options for reading CSV, as far as the user specifies them.

use std::fmt;
use std::str::FromStr;

use encoding_rs::Encoding;
use serde::{Deserialize, Serialize};

/// How CSV and TSV files are read. An option that is `None` is detected from the file, and a guess
/// other than the usual form of CSV is announced in a [`Note`](crate::Note). The encoding also
/// applies to plain text files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CsvOptions {
    /// The character between two fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<CsvDelimiter>,
    /// The quotes around a field that contains a delimiter or a line break.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quoting: Option<CsvQuoting>,
    /// How a quote is written inside a quoted field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escape: Option<CsvEscape>,
    /// The character that begins a comment line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<CsvComment>,
    /// The encoding of the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<CsvEncoding>,
}

impl CsvOptions {
    /// Returns these options, with those of `others` in place of every `None`.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            delimiter: self.delimiter.or(others.delimiter),
            quoting: self.quoting.or(others.quoting),
            escape: self.escape.or(others.escape),
            comment: self.comment.or(others.comment),
            encoding: self.encoding.or(others.encoding),
        }
    }

    /// Returns whether every option is left to detection.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// An ASCII character between fields: `,`, `;`, `|`, or `tab` (also `\t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CsvDelimiter(pub(crate) u8);

/// The quotes around a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CsvQuoting {
    /// `"`.
    Double,
    /// `'`.
    Single,
    /// No quoting: quotes are ordinary characters, and every line is a row.
    None,
}

/// How a quote is written inside a quoted field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CsvEscape {
    /// By doubling it.
    Doubled,
    /// By a preceding backslash (or by doubling it); a backslash itself is written as two.
    Backslash,
}

/// The ASCII character that begins a comment line; with `none`, every line is a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CsvComment(pub(crate) Option<u8>);

/// An encoding, by any of its WHATWG names: `utf-8`, `utf-16le`, `latin1`,
/// `windows-1252`, `shift_jis`, ….
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CsvEncoding(pub(crate) &'static Encoding);

fn ascii(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') => Some(*byte),
        _ => None,
    }
}

impl FromStr for CsvDelimiter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, ascii(text)) {
            ("tab" | "\\t", _) => Ok(Self(b'\t')),
            ("comma", _) => Ok(Self(b',')),
            ("semicolon", _) => Ok(Self(b';')),
            (_, Some(byte)) if byte != b'"' => Ok(Self(byte)),
            _ => Err(format!(
                "{text:?} is not a delimiter; expected one ASCII character, such as ',', ';' or '|', or tab"
            )),
        }
    }
}

impl fmt::Display for CsvDelimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            b'\t' => f.write_str("tab"),
            byte => write!(f, "{}", char::from(byte)),
        }
    }
}

impl FromStr for CsvQuoting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            // `all` and `minimal` are styles of Python's csv module, which reads both alike.
            "double" | "\"" | "all" | "minimal" => Ok(Self::Double),
            "single" | "'" => Ok(Self::Single),
            "none" => Ok(Self::None),
            _ => Err(format!(
                "{text:?} is not a quoting style; expected double (\"…\"), single ('…') or none"
            )),
        }
    }
}

impl fmt::Display for CsvQuoting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Double => "double",
            Self::Single => "single",
            Self::None => "none",
        })
    }
}

impl FromStr for CsvEscape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "doubled" | "double" => Ok(Self::Doubled),
            "backslash" | "\\" => Ok(Self::Backslash),
            _ => Err(format!(
                "{text:?} is not a way to write a quote inside quotes; expected doubled (\"\") or backslash (\\\")"
            )),
        }
    }
}

impl fmt::Display for CsvEscape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Doubled => "doubled",
            Self::Backslash => "backslash",
        })
    }
}

impl FromStr for CsvComment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, ascii(text)) {
            ("none", _) => Ok(Self(None)),
            (_, Some(byte)) if byte != b'"' => Ok(Self(Some(byte))),
            _ => Err(format!(
                "{text:?} cannot begin a comment; expected one ASCII character, such as '#', or none"
            )),
        }
    }
}

impl fmt::Display for CsvComment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("none"),
            Some(byte) => write!(f, "{}", char::from(byte)),
        }
    }
}

impl FromStr for CsvEncoding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Python's spellings of two common encodings.
        let label = match text.to_ascii_lowercase().replace('_', "-").as_str() {
            "latin-1" => "latin1",
            "utf-8-sig" => "utf-8",
            _ => text,
        };
        let found = Encoding::for_label_no_replacement(label.as_bytes());
        found.map(Self).ok_or_else(|| {
            format!("{text:?} is not a known encoding; expected utf-8, utf-16, latin-1, windows-1252 or another WHATWG name")
        })
    }
}

impl fmt::Display for CsvEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name().to_ascii_lowercase())
    }
}

/// Serializes each option as the string that it is parsed from.
macro_rules! as_string {
    ($($name:ident)*) => {$(
        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
    )*};
}

as_string!(CsvDelimiter CsvQuoting CsvEscape CsvComment CsvEncoding);

#[cfg(test)]
mod tests {
    use super::*;

    fn again<T: FromStr<Err = String> + fmt::Display>(text: &str) -> String {
        let value: T = text.parse().unwrap();
        let shown = value.to_string();
        assert_eq!(shown.parse::<T>().unwrap().to_string(), shown);
        shown
    }

    #[test]
    fn names_come_back() {
        assert_eq!(again::<CsvDelimiter>("\t"), "tab");
        assert_eq!(again::<CsvDelimiter>(";"), ";");
        assert_eq!(again::<CsvQuoting>("all"), "double");
        assert_eq!(again::<CsvEscape>("\\"), "backslash");
        assert_eq!(again::<CsvComment>("#"), "#");
        assert_eq!(again::<CsvComment>("none"), "none");
        assert_eq!(again::<CsvEncoding>("Latin-1"), "windows-1252");
        assert_eq!(again::<CsvEncoding>("utf-16"), "utf-16le");
        for wrong in ["", "ab", "é", "\"", "\n"] {
            assert!(wrong.parse::<CsvDelimiter>().is_err(), "{wrong:?}");
        }
        assert!("utf-9".parse::<CsvEncoding>().is_err());
        assert!("some".parse::<CsvQuoting>().is_err());
    }
}
