//! Detects the compression, encoding and line ending of a text file.

use std::io::{BufRead as _, Read as _};
use std::path::Path;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use memchr::memchr;

use super::input::{Coding, Compression, Input, read_error};
use super::lines::Lines;
use crate::read::options::{ReadOptions, Stop};
use crate::{Error, Note, Result};

/// Number of bytes inspected.
const PREFIX: usize = 1 << 16;

/// Detects how the file is written from its first bytes. `named` is the compression that the file's
/// name promises and `encoding` the one that the caller specified. Anything but plain UTF-8 with
/// line feeds is noted.
pub(super) fn recognise(
    path: &Path,
    named: Option<Compression>,
    encoding: Option<&'static Encoding>,
    options: &ReadOptions,
    notes: &mut Vec<Note>,
) -> Result<Coding> {
    let mut note = |text: String| notes.push(Note::new(format!("{}: {text}", path.display())));
    let mut coding = Coding::default();
    let start = prefix(path, &coding, &options.stop, FIRST)?;
    coding.compression = Compression::of_magic(&start);
    match (named, coding.compression) {
        (Some(named), found) if found != Some(named) => {
            return Err(Error::Corrupt {
                path: path.to_path_buf(),
                format: named.name(),
                message: "it does not begin as such a file does; rename it if it is not compressed"
                    .to_owned(),
            });
        }
        (None, Some(found)) => note(format!(
            "it is compressed with {}, though its name does not say so",
            found.name()
        )),
        _ => {}
    }
    if let Some(what) = foreign(&start) {
        return Err(Error::Corrupt {
            path: path.to_path_buf(),
            format: "text",
            message: what.to_owned(),
        });
    }
    let start = prefix(path, &coding, &options.stop, PREFIX)?;
    match (Encoding::for_bom(&start), encoding) {
        // A byte order mark decides between the two byte orders, whichever was specified.
        (Some((marked, _)), named)
            if marked != UTF_8 && named.is_none_or(|named| named.name().starts_with("UTF-16")) =>
        {
            coding.encoding = marked;
            note(format!(
                "read as {}, as its byte order mark says",
                marked.name()
            ));
        }
        (_, Some(named)) => coding.encoding = named,
        (Some(_), None) => {}
        (None, None) => {
            if let Some(found) = unmarked_utf16(&start) {
                coding.encoding = found;
                note(format!(
                    "read as {}, because every other byte is zero",
                    found.name()
                ));
            }
        }
    }
    coding.carriage_returns = ends_lines_with_carriage_returns(path, &coding, &options.stop)?;
    if coding.carriage_returns {
        note("its lines end with carriage returns (CR), as on old Macs".to_owned());
    }
    Ok(coding)
}

/// Number of bytes by which other kinds of files are recognised.
const FIRST: usize = 64;

/// Names the kind of file that passes for a text but begins with `start`, and says what to do about
/// it.
fn foreign(start: &[u8]) -> Option<&'static str> {
    let starts = |mark: &[u8]| {
        start
            .get(..mark.len())
            .is_some_and(|s| s.eq_ignore_ascii_case(mark))
    };
    Some(match start {
        [b'P', b'K', 3, 4, ..] => {
            "it is a zip archive (as spreadsheets are); unpack it, or save the sheet as CSV"
        }
        [0xd0, 0xcf, 0x11, 0xe0, ..] => "it is an old spreadsheet of Excel; save the sheet as CSV",
        [b'P', b'A', b'R', b'1', ..] => {
            "it is a Parquet file; give it a name that ends in .parquet"
        }
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => {
            "it is an Arrow file; give it a name that ends in .arrow"
        }
        _ if starts(b"<!doctype html") || starts(b"<html") => {
            "it is a web page (HTML), perhaps saved in place of the file; download the file itself"
        }
        _ => return lfs_pointer(start),
    })
}

/// Recognises a Git LFS pointer.
fn lfs_pointer(start: &[u8]) -> Option<&'static str> {
    start
        .starts_with(b"version https://git-lfs")
        .then_some("it is a pointer of Git LFS, not the file itself; `git lfs pull` gets the file")
}

/// Returns what a file named like a binary format actually is, if its first bytes tell.
pub(super) fn not_binary(path: &Path, stop: &Stop) -> Option<&'static str> {
    let start = prefix(path, &Coding::default(), stop, FIRST).ok()?;
    let is_text = || {
        start
            .iter()
            .all(|&b| b >= b' ' && b != 0x7f || b"\t\r\n".contains(&b))
    };
    foreign(&start)
        .filter(|_| !start.starts_with(b"PAR1") && !start.starts_with(b"ARROW1"))
        .or_else(|| {
            let what = "it begins like a text; if it is CSV or JSON lines, give it a name that ends in .csv or .jsonl";
            (is_text() && std::str::from_utf8(&start[..start.len().min(16)]).is_ok()).then_some(what)
        })
}

/// Returns up to `limit` bytes from the start of the file, decoded with `coding`.
pub(super) fn prefix(path: &Path, coding: &Coding, stop: &Stop, limit: usize) -> Result<Vec<u8>> {
    let mut start = Vec::new();
    Input::open(path, coding, stop)?
        .take(limit as u64)
        .read_to_end(&mut start)
        .map_err(|e| read_error(path, e))?;
    Ok(start)
}

/// Recognises UTF-16 without a byte order mark: each Latin letter has a zero byte, always on the
/// same side.
fn unmarked_utf16(start: &[u8]) -> Option<&'static Encoding> {
    let (pairs, _) = start.as_chunks::<2>();
    let zeros = |side: usize| pairs.iter().filter(|pair| pair[side] == 0).count();
    let (first, second) = (zeros(0), zeros(1));
    let many = |count: usize| pairs.len() >= 4 && 2 * count > pairs.len();
    match (many(first), many(second)) {
        (false, true) if first == 0 => Some(UTF_16LE),
        (true, false) if second == 0 => Some(UTF_16BE),
        _ => None,
    }
}

/// Returns whether the file contains a carriage return but no line feed. Most files are settled by
/// their first line.
fn ends_lines_with_carriage_returns(path: &Path, coding: &Coding, stop: &Stop) -> Result<bool> {
    let mut input = Input::open(path, coding, stop)?;
    let mut found = false;
    loop {
        let chunk = input.fill_buf().map_err(|e| read_error(path, e))?;
        if chunk.is_empty() {
            return Ok(found);
        }
        if memchr(b'\n', chunk).is_some() {
            return Ok(false);
        }
        found |= memchr(b'\r', chunk).is_some();
        let count = chunk.len();
        input.consume(count);
    }
}

/// Guesses the encoding of a file that is not UTF-8, and decodes one word as evidence. Returns
/// `None` for UTF-8 that is damaged in a few places.
pub(super) fn guess(path: &Path, coding: &Coding, stop: &Stop) -> Result<Option<Guess>> {
    let mut lines = Lines::new(Input::open(path, coding, stop)?, path);
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    let (mut valid, mut invalid) = (0u64, 0u64);
    let mut example = None;
    while lines.read()? {
        if lines.bytes.is_ascii() {
            continue;
        }
        for chunk in lines.bytes.utf8_chunks() {
            valid += chunk.valid().chars().filter(|c| !c.is_ascii()).count() as u64;
            invalid += u64::from(!chunk.invalid().is_empty());
        }
        if invalid > 0 && example.is_none() {
            example = Some((lines.number, word(lines.content()).to_vec()));
        }
        detector.feed(&lines.bytes, false);
    }
    detector.feed(b"", true);
    // In text of another encoding, hardly any character happens to be valid UTF-8.
    let Some((line, word)) = example.filter(|_| valid < invalid) else {
        return Ok(None);
    };
    let encoding = detector.guess(None, Utf8Detection::Deny);
    let (word, _) = encoding.decode_without_bom_handling(&word);
    Ok(Some(Guess {
        encoding,
        line,
        word: word.into_owned(),
    }))
}

/// A guessed encoding with the first word that shows it.
pub(super) struct Guess {
    pub(super) encoding: &'static Encoding,
    pub(super) line: u64,
    pub(super) word: String,
}

/// Returns the word around the first non-ASCII byte, delimited by blanks and delimiters.
fn word(line: &[u8]) -> &[u8] {
    let at = line.iter().position(|b| !b.is_ascii()).unwrap_or_default();
    let ends = |byte: &u8| b" \t,;|\"'".contains(byte);
    let start = line[..at].iter().rposition(ends).map_or(0, |i| i + 1);
    let end = line[at..]
        .iter()
        .position(ends)
        .map_or(line.len(), |i| at + i);
    &line[start..end.min(start + 60)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf16_without_a_mark() {
        let units = |text: &str| text.encode_utf16().collect::<Vec<_>>();
        let text = "text,label\né漢,a\n";
        let little: Vec<u8> = units(text).into_iter().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = units(text).into_iter().flat_map(u16::to_be_bytes).collect();
        assert_eq!(unmarked_utf16(&little), Some(UTF_16LE));
        assert_eq!(unmarked_utf16(&big), Some(UTF_16BE));
        assert_eq!(unmarked_utf16(text.as_bytes()), None);
        assert_eq!(unmarked_utf16(&[0; 64]), None);
    }

    #[test]
    fn a_word_that_shows_it() {
        assert_eq!(word(b"a fine caf\xe9, said"), b"caf\xe9");
        assert_eq!(word(b"\xe9"), b"\xe9");
    }
}
