//! Opens a file of word vectors: plain, compressed, or in an archive.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::result::ZipError;

use super::line::RawLine;
use crate::read::input::{Coding, Compression, Input, buffered};
use crate::read::lines::Lines;
use crate::read::options::Stop;
use crate::read::regular_file::regular_file;
use crate::{Error, Note, Result};

/// The first bytes of a zip archive.
const ZIP: &[u8] = b"PK\x03\x04";

/// The lines of a file of word vectors, after its header.
pub(super) struct Source<'a> {
    lines: Lines<Box<dyn BufRead + 'a>>,
    /// The file, followed by the name in the archive.
    pub(super) path: PathBuf,
    pub(super) notes: Vec<Note>,
    /// Number of vectors that the header promises.
    promised: Option<u64>,
    /// Whether the line that was read last is still to be returned.
    is_ahead: bool,
}

/// Opens a file with vectors of `width` numbers, and has `read` read it.
pub(super) fn with_source<T>(
    path: &Path,
    width: usize,
    read: impl FnOnce(Source<'_>) -> Result<T>,
) -> Result<T> {
    let start = first_bytes(path)?;
    if start.starts_with(ZIP) {
        return with_archive(path, width, read);
    }
    let coding = Coding {
        compression: Compression::of_magic(&start),
        ..Coding::default()
    };
    let input = Input::open(path, &coding, &Stop::default())?;
    let (source, found) = Source::begin(Box::new(input), path.to_path_buf())?;
    match found == width {
        true => read(source),
        false => Err(Error::WordVectors {
            path: path.to_path_buf(),
            message: match found {
                0 => "it has no word vectors; expected a word and its numbers on each line, as in GloVe's files".to_owned(),
                found => format!(
                    "its vectors have {found} numbers, but the model's word embeddings have {width}; choose vectors of that size, or a model with embeddings of {found}"
                ),
            },
        }),
    }
}

impl<'a> Source<'a> {
    /// Reads the header, if there is one, and returns the width of the first vector; 0 if there is none.
    fn begin(input: Box<dyn BufRead + 'a>, path: PathBuf) -> Result<(Self, usize)> {
        let mut source = Self {
            lines: Lines::new(input, &path),
            path,
            notes: Vec::new(),
            promised: None,
            is_ahead: true,
        };
        source.lines.read()?;
        if let Some((count, width)) = source.line().header() {
            source.notes.push(Note::new(format!(
                "{}: the first line, {count} {width}, is taken for word2vec's header ({count} vectors of {width} numbers)",
                source.path.display()
            )));
            source.promised = Some(count);
            source.is_ahead = false;
            return Ok((source, width));
        }
        let width = source.line().width();
        Ok((source, width))
    }

    /// Returns the next line that is not blank.
    pub(super) fn next_line(&mut self) -> Result<Option<RawLine<'_>>> {
        loop {
            if !std::mem::take(&mut self.is_ahead) && !self.lines.read()? {
                return Ok(None);
            }
            if !self.lines.content().trim_ascii().is_empty() {
                return Ok(Some(self.line()));
            }
        }
    }

    fn line(&self) -> RawLine<'_> {
        RawLine {
            path: &self.path,
            bytes: self.lines.content(),
            number: self.lines.number,
        }
    }

    /// Fails if the file ended before the number of vectors that its header promises.
    pub(super) fn check_count(&self, found: u64) -> Result<()> {
        match self.promised {
            Some(promised) if found < promised => Err(Error::WordVectors {
                path: self.path.clone(),
                message: format!(
                    "its first line promises {promised} vectors, but it has {found}; was it cut short?"
                ),
            }),
            _ => Ok(()),
        }
    }
}

/// Returns the first bytes of a file.
fn first_bytes(path: &Path) -> Result<Vec<u8>> {
    regular_file(path)?;
    let file = File::open(path).map_err(|e| Error::io(path, "open", e))?;
    let mut start = Vec::new();
    let read = file.take(16).read_to_end(&mut start);
    read.map_err(|e| Error::io(path, "read", e))?;
    Ok(start)
}

/// Reads the file in a zip archive that has vectors of `width` numbers.
fn with_archive<T>(
    path: &Path,
    width: usize,
    read: impl FnOnce(Source<'_>) -> Result<T>,
) -> Result<T> {
    let file = File::open(path).map_err(|e| Error::io(path, "open", e))?;
    let archive = ZipArchive::new(BufReader::new(file));
    let mut archive = archive.map_err(|error| broken(path, error))?;
    let names = archive
        .file_names()
        .filter_map(|name| Some(name.ok()?.into_owned()));
    let mut names: Vec<_> = names.collect();
    // What macOS adds to archives.
    names.retain(|name| !name.ends_with('/') && !name.starts_with("__MACOSX/"));
    names.sort_unstable();
    let mut widths = Vec::new();
    for name in &names {
        let member = archive.by_name(name).map_err(|error| broken(path, error))?;
        let input = Box::new(buffered(member, "zip"));
        let (mut source, found) = Source::begin(input, path.join(name))?;
        if found == width {
            if names.len() > 1 {
                source.notes.push(Note::new(format!(
                    "of the {} files in {}, {name} is read, which has vectors of {width} numbers",
                    names.len(),
                    path.display()
                )));
            }
            return read(source);
        }
        widths.push(match found {
            0 => format!("{name} has no vectors"),
            found => format!("those of {name} have {found}"),
        });
    }
    Err(Error::WordVectors {
        path: path.to_path_buf(),
        message: match widths.is_empty() {
            true => "the archive has no files".to_owned(),
            false => format!(
                "no file in the archive has vectors of {width} numbers, which is the size of the model's word embeddings: {}",
                widths.join(", ")
            ),
        },
    })
}

fn broken(path: &Path, error: ZipError) -> Error {
    match error {
        ZipError::Io(error) if error.raw_os_error().is_some() => Error::io(path, "read", error),
        error => Error::Corrupt {
            path: path.to_path_buf(),
            format: "zip",
            message: format!("{error}; fetch it again"),
        },
    }
}
