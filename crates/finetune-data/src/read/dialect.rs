//! Detects how a CSV file is written from its first lines.

use std::path::Path;

use super::csv::Record;
use super::lines::Lines;
use crate::read::csv_options::{CsvComment, CsvDelimiter, CsvEscape, CsvOptions, CsvQuoting};
use crate::{Error, Note, Result};

/// How a CSV file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) delimiter: u8,
    pub(crate) quote: Option<u8>,
    /// Whether a backslash inside quotes escapes a quote or a backslash.
    pub(crate) backslash: bool,
    pub(crate) comment: Option<u8>,
    /// Number of lines before the header that are skipped: comments, if `comment` was not
    /// specified, or the line that tells Excel the delimiter.
    pub(crate) preamble: u64,
}

impl Dialect {
    /// Creates the dialect of the options, filling in the usual form with this delimiter.
    pub(crate) fn new(options: &CsvOptions, delimiter: u8) -> Self {
        Self {
            delimiter: options.delimiter.map_or(delimiter, |d| d.0),
            quote: match options.quoting {
                None | Some(CsvQuoting::Double) => Some(b'"'),
                Some(CsvQuoting::Single) => Some(b'\''),
                Some(CsvQuoting::None) => None,
            },
            backslash: options.escape == Some(CsvEscape::Backslash),
            comment: options.comment.and_then(|CsvComment(byte)| byte),
            preamble: 0,
        }
    }

    /// Detects whatever the options leave open from the first lines of the file. Unless `whole`,
    /// `start` may end in the middle of a record.
    pub(crate) fn recognise(
        path: &Path,
        start: &[u8],
        whole: bool,
        options: &CsvOptions,
        delimiter: u8,
        notes: &mut Vec<Note>,
    ) -> Self {
        if let Some(form) = named_in_first_line(start, options, delimiter) {
            notes.push(Note::new(format!(
                "{}: the first line, as Excel reads it, says that the fields are separated by {}",
                path.display(),
                name(form.delimiter)
            )));
            return form;
        }
        let usual = Self::new(options, delimiter);
        let look = |dialect: &Self| Look::new(start, whole, dialect);
        // If the usual form fits, there is nothing to guess.
        let first = look(&usual);
        if first.even && first.fields > 1 {
            return usual;
        }
        let mut forms = vec![usual];
        let preamble = start
            .split(|&byte| byte == b'\n')
            .take_while(|line| line.starts_with(b"#"));
        let preamble = preamble.count() as u64;
        if preamble > 0 && options.comment.is_none() {
            forms.push(Self { preamble, ..usual });
        }
        if options.quoting.is_none() && first_field_is_in_single_quotes(start) {
            let quote = Some(b'\'');
            forms = forms
                .iter()
                .map(|form| Self { quote, ..*form })
                .chain(forms.clone())
                .collect();
        }
        let delimiters = match options.delimiter {
            Some(CsvDelimiter(named)) => vec![named],
            None => {
                let mut all = vec![usual.delimiter];
                all.extend(
                    [b',', b';', b'\t', b'|']
                        .iter()
                        .filter(|&&d| d != usual.delimiter),
                );
                all
            }
        };
        // Prefer the form with the most fields on which all lines agree; among equals, the one
        // closest to the usual form.
        let mut best: Option<(usize, Self)> = None;
        for form in forms {
            for &delimiter in &delimiters {
                let form = Self { delimiter, ..form };
                let found = look(&form);
                if found.even && found.fields > best.map_or(1, |(fields, _)| fields) {
                    best = Some((found.fields, form));
                }
            }
        }
        let Some((fields, found)) = best else {
            return usual;
        };
        let mut note = |text: String| notes.push(Note::new(format!("{}: {text}", path.display())));
        if found.preamble > 0 {
            let (lines, are) = match found.preamble {
                1 => ("the line", "begins"),
                _ => ("the lines", "begin"),
            };
            note(format!(
                "{lines} above the header that {are} with # {} left out, because the rows below have {fields} fields and a comment does not; --csv-comment '#' says that they are comments",
                if found.preamble == 1 { "is" } else { "are" }
            ));
        }
        if found.delimiter != usual.delimiter {
            note(format!(
                "the fields are taken to be separated by {}, by which header and first rows have {fields} each; --csv-delimiter names another",
                name(found.delimiter)
            ));
        }
        if found.quote != usual.quote {
            note("the fields are taken to be quoted by ', as the header is; --csv-quoting single says that they are".to_owned());
        }
        found
    }

    /// Returns the name of the delimiter.
    pub(crate) fn delimiter_name(&self) -> &'static str {
        match self.delimiter {
            b'\t' => "tab",
            b',' => "comma",
            b';' => "semicolon",
            b'|' => "vertical bar",
            _ => "delimiter",
        }
    }
}

/// Recognises a first line such as `sep=;`, from which Excel takes the delimiter and which it
/// hides.
fn named_in_first_line(start: &[u8], options: &CsvOptions, delimiter: u8) -> Option<Dialect> {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let line = start.split(|&byte| byte == b'\n').next()?.trim_ascii_end();
    let line = match line.iter().rposition(|&byte| byte == b'=') {
        // A tab at the end of the line is the delimiter, not a blank.
        Some(at) if at + 1 == line.len() => start.get(..at + 2)?,
        _ => line,
    };
    let (name, sign) = line.split_at_checked(4)?;
    let [sign @ (b',' | b';' | b'\t' | b'|')] = sign else {
        return None;
    };
    let names_it = name.eq_ignore_ascii_case(b"sep=") && options.delimiter.is_none();
    names_it.then(|| Dialect {
        delimiter: *sign,
        preamble: 1,
        ..Dialect::new(options, delimiter)
    })
}

fn name(delimiter: u8) -> String {
    match delimiter {
        b'\t' => "tabs".to_owned(),
        other => format!("{:?}", char::from(other)),
    }
}

fn first_field_is_in_single_quotes(start: &[u8]) -> bool {
    let line = start
        .split(|&byte| byte == b'\n')
        .find(|line| !line.starts_with(b"#"));
    let line = line.unwrap_or_default().trim_ascii();
    line.len() > 2 && line.starts_with(b"'") && line.ends_with(b"'")
}

/// What the first records look like in a given dialect.
struct Look {
    /// Number of fields in the header.
    fields: usize,
    /// Whether all records have that many fields.
    even: bool,
}

impl Look {
    fn new(start: &[u8], whole: bool, dialect: &Dialect) -> Self {
        let read = |backslash: bool| {
            let dialect = Dialect {
                backslash,
                ..*dialect
            };
            Self::read(start, whole, dialect)
        };
        // A file with backslash-escaped quotes looks broken when read without escapes.
        match read(dialect.backslash) {
            Ok(look) => look,
            Err(_) => read(true).unwrap_or(Self {
                fields: 0,
                even: false,
            }),
        }
    }

    fn read(start: &[u8], whole: bool, dialect: Dialect) -> Result<Self> {
        // Leave out the last line, which may be half a record.
        let complete = match memchr::memrchr(b'\n', start) {
            Some(end) if !whole => &start[..=end],
            _ => start,
        };
        let mut record = Record::new(Lines::new(complete, Path::new("")), dialect);
        let mut fields = None;
        for _ in 0..RECORDS {
            match record.read() {
                Ok(true) => {}
                Ok(false) => break,
                // The prefix ends inside a quoted field.
                Err(Error::OpenQuote { .. }) if !whole => break,
                Err(error) => return Err(error),
            }
            let found = record.len();
            if dialect.preamble > 0 && fields.is_some() && record.begins_with(b'#') {
                continue;
            }
            if *fields.get_or_insert(found) != found {
                return Ok(Self {
                    fields: 0,
                    even: false,
                });
            }
        }
        Ok(Self {
            fields: fields.unwrap_or(0),
            even: fields.is_some(),
        })
    }
}

/// Number of records inspected.
const RECORDS: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn recognised(start: &str, delimiter: u8) -> (Dialect, Vec<String>) {
        let mut notes = Vec::new();
        let options = CsvOptions::default();
        let path = Path::new("x.csv");
        let bytes = start.as_bytes();
        let found = Dialect::recognise(path, bytes, true, &options, delimiter, &mut notes);
        (found, notes.iter().map(Note::to_string).collect())
    }

    #[test]
    fn the_usual_form_is_no_guess() {
        let usual = Dialect::new(&CsvOptions::default(), b',');
        for text in [
            "text,label\na; b,x\n\"c, d\",y\n",
            // There is one column, and no other form fits the header.
            "text\na;b\nc;d\n",
            "text\na, b\nc\n",
            // An overlong row is an error in that row, not evidence of another form.
            "text,label\na,b,c\nd;e,f\n",
            "#id,text,label\n1,a,b\n",
            "text,label\n#a,b\n",
            "",
        ] {
            assert_eq!(recognised(text, b','), (usual, vec![]), "{text:?}");
        }
    }

    #[test]
    fn delimiters() {
        for (text, delimiter) in [
            ("text;label\na, b;x\nc;y\n", b';'),
            ("text\tlabel\na, b\tx\nc\ty\n", b'\t'),
            ("a|b|c\n1,5|2|3\n", b'|'),
            ("id;text;label\n1;\"a;b\";x\n", b';'),
            ("id;text;label\n1;\"a \\\"b\\\"\";x\n", b';'),
        ] {
            let (found, notes) = recognised(text, b',');
            assert_eq!(found.delimiter, delimiter, "{text:?}");
            assert!(notes[0].contains("--csv-delimiter"), "{notes:?}");
        }
        assert_eq!(recognised("text,label\na,x\n", b'\t').0.delimiter, b',');
    }

    #[test]
    fn the_line_for_excel() {
        for (text, delimiter) in [
            ("sep=;\r\ntext;label\r\na,x;y\r\n", b';'),
            ("\u{feff}SEP=\t\ntext\tlabel\n", b'\t'),
            ("sep=,\ntext,label\n", b','),
        ] {
            let (found, notes) = recognised(text, b',');
            assert_eq!(
                (found.delimiter, found.preamble),
                (delimiter, 1),
                "{text:?}"
            );
            assert!(notes[0].contains("Excel"), "{notes:?}");
        }
        for text in ["sep,label\na,b\n", "sep=a,label\na,b\n", "sep=\na\n", "sep"] {
            assert_eq!(recognised(text, b',').0.preamble, 0, "{text:?}");
        }
    }

    #[test]
    fn comments_and_single_quotes() {
        let (found, notes) = recognised("# one\n# two\ntext;label\na,b;c\n", b',');
        assert_eq!((found.preamble, found.delimiter), (2, b';'));
        assert_eq!(notes.len(), 2, "{notes:?}");
        let (found, notes) = recognised("'text','label'\n'it, and \"','x'\n", b',');
        assert_eq!(found.quote, Some(b'\''));
        assert!(notes[0].contains("--csv-quoting"), "{notes:?}");
    }
}
