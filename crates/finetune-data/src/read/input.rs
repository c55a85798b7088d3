//! Turns the bytes of a text file into what the line reader takes: decompressed UTF-8 with line
//! feeds.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};

use crate::{Error, Result, read::options::Stop};

/// Bytes read from a file at a time, which also bounds the time between two checks for a stop
/// request.
const CHUNK: usize = 1 << 18;

/// The compression of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

impl Compression {
    pub(crate) fn of_extension(extension: &str) -> Option<Self> {
        Some(match extension.to_ascii_lowercase().as_str() {
            "gz" | "gzip" => Self::Gzip,
            "zst" | "zstd" => Self::Zstd,
            "bz2" => Self::Bzip2,
            "xz" => Self::Xz,
            _ => return None,
        })
    }

    /// Detects a compression by the first bytes of a file. The magic number of bzip2 is made of
    /// letters, so more of it has to match.
    pub(crate) fn of_magic(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', b'&', ..] => Some(Self::Bzip2),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
        }
    }

    /// Returns the name of the program that decompresses such a file.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Gzip => "gunzip",
            Self::Zstd => "unzstd",
            Self::Bzip2 => "bunzip2",
            Self::Xz => "unxz",
        }
    }
}

/// How the bytes of a text file become lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Coding {
    pub(crate) compression: Option<Compression>,
    pub(crate) encoding: &'static Encoding,
    /// Whether a lone carriage return ends a line.
    pub(crate) carriage_returns: bool,
}

impl Default for Coding {
    fn default() -> Self {
        Self {
            compression: None,
            encoding: UTF_8,
            carriage_returns: false,
        }
    }
}

/// An open text file. Plain UTF-8 has a variant of its own because every line passes through here.
pub(crate) enum Input {
    Plain(BufReader<Watched<File>>),
    Other(Box<dyn BufRead + Send>),
}

impl Input {
    pub(crate) fn open(path: &Path, coding: &Coding, stop: &Stop) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io(path, "open", e))?;
        let file = Watched {
            input: file,
            stop: stop.clone(),
        };
        let file = BufReader::with_capacity(CHUNK, file);
        let plain = coding.encoding == UTF_8 && !coding.carriage_returns;
        let mut input: Box<dyn BufRead + Send> = match coding.compression {
            None if plain => return Ok(Self::Plain(file)),
            None => Box::new(file),
            Some(Compression::Gzip) => {
                // Reads all concatenated members, as gzip itself does.
                let members = flate2::bufread::MultiGzDecoder::new(file);
                Box::new(buffered(members, "gzip"))
            }
            Some(Compression::Zstd) => {
                let frames = zstd::stream::read::Decoder::with_buffer(file)
                    .map_err(|e| Error::io(path, "read", e))?;
                Box::new(buffered(frames, "zstd"))
            }
            Some(other) => {
                return Err(Error::Corrupt {
                    path: path.to_path_buf(),
                    format: "text",
                    message: format!(
                        "it is compressed with {0}, which is not read; unpack it with {1}, or compress it with gzip or zstd instead",
                        other.name(),
                        other.program()
                    ),
                });
            }
        };
        if coding.encoding != UTF_8 {
            input = Box::new(Decoded::new(input, coding.encoding));
        }
        if coding.carriage_returns {
            input = Box::new(LineFeeds {
                input,
                buffer: Vec::new(),
                position: 0,
            });
        }
        Ok(Self::Other(input))
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(input) => input.read(buffer),
            Self::Other(input) => input.read(buffer),
        }
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self {
            Self::Plain(input) => input.fill_buf(),
            Self::Other(input) => input.fill_buf(),
        }
    }

    fn consume(&mut self, amount: usize) {
        match self {
            Self::Plain(input) => input.consume(amount),
            Self::Other(input) => input.consume(amount),
        }
    }
}

/// Converts an I/O error of any of the readers in this file.
pub(crate) fn read_error(path: &Path, error: io::Error) -> Error {
    let inner = error.get_ref();
    if inner.is_some_and(|inner| inner.is::<Requested>()) {
        return Error::Stopped;
    }
    match inner.and_then(|inner| inner.downcast_ref::<DamagedStream>()) {
        Some(damaged) => Error::Corrupt {
            path: path.to_path_buf(),
            format: damaged.format,
            message: damaged.message.clone(),
        },
        None => Error::io(path, "read", error),
    }
}

/// A stop request, as an error of a reader.
#[derive(Debug)]
struct Requested;

impl fmt::Display for Requested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stopped on request")
    }
}

impl std::error::Error for Requested {}

/// A reader that fails when a stop is requested.
pub(crate) struct Watched<R> {
    input: R,
    stop: Stop,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stop.requested() {
            true => Err(io::Error::other(Requested)),
            false => self.input.read(buffer),
        }
    }
}

/// Compressed bytes that make no sense, as an error of a reader.
#[derive(Debug)]
struct DamagedStream {
    format: &'static str,
    message: String,
}

impl fmt::Display for DamagedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DamagedStream {}

/// A decompressor whose own errors can be told from the system's.
pub(crate) struct Decompressed<R> {
    input: R,
    format: &'static str,
}

pub(crate) fn buffered<R: Read>(input: R, format: &'static str) -> BufReader<Decompressed<R>> {
    BufReader::with_capacity(CHUNK, Decompressed { input, format })
}

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.input.read(buffer).map_err(|error| {
            let requested = error.get_ref().is_some_and(|inner| inner.is::<Requested>());
            if requested || error.raw_os_error().is_some() {
                return error;
            }
            let message = match error.kind() {
                io::ErrorKind::UnexpectedEof => "it ends too early; it was cut short".to_owned(),
                _ => format!("{error}; the file may be damaged"),
            };
            io::Error::new(
                error.kind(),
                DamagedStream {
                    format: self.format,
                    message,
                },
            )
        })
    }
}

/// Decodes another encoding to UTF-8. An invalid sequence becomes a byte that is invalid in UTF-8,
/// so that the reader finds it there and can name the row.
struct Decoded<R> {
    input: R,
    decoder: Decoder,
    output: Vec<u8>,
    position: usize,
    end: usize,
    done: bool,
}

const INVALID: u8 = 0xff;

impl<R: BufRead> Decoded<R> {
    fn new(input: R, encoding: &'static Encoding) -> Self {
        Self {
            input,
            decoder: encoding.new_decoder_with_bom_removal(),
            output: vec![0; 1 << 16],
            position: 0,
            end: 0,
            done: false,
        }
    }
}

impl<R: BufRead> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        copy_from(self, buffer)
    }
}

impl<R: BufRead> BufRead for Decoded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.position == self.end && !self.done {
            let source = self.input.fill_buf()?;
            let last = source.is_empty();
            // The last byte is kept free for the `INVALID` marker.
            let (space, _) = self.output.split_at_mut((1 << 16) - 1);
            let (result, read, written) = self
                .decoder
                .decode_to_utf8_without_replacement(source, space, last);
            self.input.consume(read);
            (self.position, self.end) = (0, written);
            match result {
                DecoderResult::Malformed(..) => {
                    self.output[written] = INVALID;
                    self.end += 1;
                }
                DecoderResult::InputEmpty => self.done = last,
                DecoderResult::OutputFull => {}
            }
        }
        Ok(&self.output[self.position..self.end])
    }

    fn consume(&mut self, amount: usize) {
        self.position += amount;
    }
}

/// Turns carriage returns into line feeds.
struct LineFeeds<R> {
    input: R,
    buffer: Vec<u8>,
    position: usize,
}

impl<R: BufRead> Read for LineFeeds<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        copy_from(self, buffer)
    }
}

impl<R: BufRead> BufRead for LineFeeds<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.position == self.buffer.len() {
            let source = self.input.fill_buf()?;
            let feed = |&byte: &u8| if byte == b'\r' { b'\n' } else { byte };
            self.buffer.clear();
            self.buffer.extend(source.iter().map(feed));
            self.position = 0;
            self.input.consume(self.buffer.len());
        }
        Ok(&self.buffer[self.position..])
    }

    fn consume(&mut self, amount: usize) {
        self.position += amount;
    }
}

fn copy_from(input: &mut impl BufRead, buffer: &mut [u8]) -> io::Result<usize> {
    let source = input.fill_buf()?;
    let count = source.len().min(buffer.len());
    buffer[..count].copy_from_slice(&source[..count]);
    input.consume(count);
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8], encoding: &'static Encoding) -> Vec<u8> {
        let mut all = Vec::new();
        let input = BufReader::with_capacity(3, bytes);
        Decoded::new(input, encoding).read_to_end(&mut all).unwrap();
        all
    }

    #[test]
    fn other_encodings_become_utf8() {
        let utf16: Vec<u8> = "\u{feff}aé漢🎬"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(decoded(&utf16, encoding_rs::UTF_16LE), "aé漢🎬".as_bytes());
        assert_eq!(
            decoded(b"caf\xe9", encoding_rs::WINDOWS_1252),
            "café".as_bytes()
        );
        // Half a surrogate pair followed by a letter, and half a code unit at the end.
        assert_eq!(
            decoded(b"\x00\xd8a\x00b", encoding_rs::UTF_16LE),
            b"\xffa\xff"
        );
    }

    #[test]
    fn carriage_returns_become_line_feeds() {
        let mut all = Vec::new();
        let mut input = LineFeeds {
            input: BufReader::with_capacity(2, &b"a\rbc\r\rd"[..]),
            buffer: Vec::new(),
            position: 0,
        };
        input.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"a\nbc\n\nd");
    }
}
