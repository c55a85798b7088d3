//! The file behind a tokenized data set.
//!
//! ```text
//! header   128 bytes, little-endian, see `Header`
//! tokens   per row: its ids (u16 or u32 each), then, for pairs, its type ids (u8 each)
//! index    per row: first token u64, row in the source file u64, label u32, file number u32;
//!          one more entry ends the last row
//! summary  JSON: class counts, length statistics
//! ```
//!
//! A checksum covers all of it. The file is read by positioned reads rather than mapped: mapped
//! pages that a shuffled epoch touches count as resident memory, and mapping needs `unsafe`.

use std::fs::File;
use std::io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::positioned::read_exact_at;
use crate::tokenizer::Encoded;
use crate::{Error, Label, Result};

const MAGIC: &[u8; 8] = b"FTTOKENS";
/// Raise it when the format or the meaning of its content changes: old caches are then rebuilt.
pub(crate) const VERSION: u32 = 1;
const HEADER: u64 = 128;
/// Bytes of the header that the checksum covers; the checksum itself follows them.
const HEADER_HASHED: usize = 88;
const ENTRY: u64 = 24;

/// What labels the rows carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LabelKind {
    None,
    Classes,
    Values,
}

/// How rows are laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Ids take 4 bytes instead of 2.
    pub(crate) wide: bool,
    /// Rows are pairs, with type ids.
    pub(crate) pairs: bool,
    pub(crate) labels: LabelKind,
}

impl Layout {
    fn token_bytes(self) -> u64 {
        (if self.wide { 4 } else { 2 }) + u64::from(self.pairs)
    }
}

/// Statistics of a tokenized data set, gathered while it is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) class_counts: Vec<u64>,
    pub(crate) truncated: u64,
    /// Number of rows of each length.
    pub(crate) lengths: Vec<u64>,
}

struct Header {
    layout: Layout,
    rows: u64,
    tokens: u64,
    summary_len: u64,
    key: [u8; 32],
}

impl Header {
    fn index_offset(&self) -> Option<u64> {
        self.tokens
            .checked_mul(self.layout.token_bytes())?
            .checked_add(HEADER)
    }

    fn file_len(&self) -> Option<u64> {
        let index = self.rows.checked_add(1)?.checked_mul(ENTRY)?;
        self.index_offset()?
            .checked_add(index)?
            .checked_add(self.summary_len)
    }

    fn encode(&self) -> [u8; HEADER_HASHED] {
        let mut bytes = [0; HEADER_HASHED];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12] = u8::from(self.layout.wide);
        bytes[13] = u8::from(self.layout.pairs);
        bytes[14] = self.layout.labels as u8;
        bytes[16..24].copy_from_slice(&self.rows.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.tokens.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.summary_len.to_le_bytes());
        bytes[56..88].copy_from_slice(&self.key);
        bytes
    }

    fn decode(bytes: &[u8; HEADER as usize]) -> Result<Self, &'static str> {
        let u64_at = |at: usize| read_u64(&bytes[at..]);
        if bytes[..8] != MAGIC[..] {
            return Err("not a token cache");
        }
        if bytes[HEADER_HASHED + 32..].iter().any(|&byte| byte != 0) {
            return Err("bytes where there should be none");
        }
        if bytes[8..12] != VERSION.to_le_bytes() {
            return Err("written by another version");
        }
        let labels = match bytes[14] {
            0 => LabelKind::None,
            1 => LabelKind::Classes,
            2 => LabelKind::Values,
            _ => return Err("unknown label kind"),
        };
        let layout = Layout {
            wide: bytes[12] != 0,
            pairs: bytes[13] != 0,
            labels,
        };
        let mut key = [0; 32];
        key.copy_from_slice(&bytes[56..88]);
        Ok(Self {
            layout,
            rows: u64_at(16),
            tokens: u64_at(24),
            summary_len: u64_at(32),
            key,
        })
    }
}

/// Writes a cache beside its place. The index goes to a second, unnamed file until its place in the
/// first one is known, so memory stays flat.
pub(crate) struct CacheWriter {
    tokens: Hashed,
    index: BufWriter<File>,
    layout: Layout,
    rows: u64,
    num_tokens: u64,
    summary: Summary,
    buffer: Vec<u8>,
}

/// The cache file on its way, hashed as it is written.
struct Hashed {
    output: BufWriter<NamedTempFile>,
    hasher: Sha256,
}

impl Hashed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.hasher.update(bytes);
        self.output.write_all(bytes)
    }
}

impl CacheWriter {
    /// Starts a cache in `directory`, which must exist. `classes` is the number of classes.
    pub(crate) fn create(directory: &Path, layout: Layout, classes: usize) -> Result<Self> {
        let error = |e| Error::io(directory, "write to", e);
        let file = tempfile::Builder::new()
            .prefix(PARTIAL)
            .suffix(".partial")
            .tempfile_in(directory)
            .map_err(error)?;
        let index = tempfile::tempfile_in(directory).map_err(error)?;
        let mut output = BufWriter::with_capacity(1 << 20, file);
        output.write_all(&[0; HEADER as usize]).map_err(error)?;
        Ok(Self {
            tokens: Hashed {
                output,
                hasher: Sha256::new(),
            },
            index: BufWriter::with_capacity(1 << 18, index),
            layout,
            rows: 0,
            num_tokens: 0,
            summary: Summary {
                class_counts: vec![0; classes],
                ..Summary::default()
            },
            buffer: Vec::new(),
        })
    }

    pub(crate) fn push(
        &mut self,
        row: &Encoded,
        source: (u32, u64),
        label: Option<Label>,
    ) -> Result<()> {
        let buffer = &mut self.buffer;
        buffer.clear();
        if self.layout.wide {
            row.ids
                .iter()
                .for_each(|id| buffer.extend(id.to_le_bytes()));
        } else {
            row.ids
                .iter()
                .for_each(|id| buffer.extend((*id as u16).to_le_bytes()));
        }
        if self.layout.pairs {
            buffer.extend(row.type_ids.iter().map(|&t| t as u8));
        }
        let label = match label {
            None => 0,
            Some(Label::Class(class)) => {
                if let Some(count) = self.summary.class_counts.get_mut(class as usize) {
                    *count += 1;
                }
                class
            }
            Some(Label::Value(value)) => value.to_bits(),
        };
        let written = self.tokens.write(buffer);
        let entry = entry(self.num_tokens, source.1, label, source.0);
        written
            .and_then(|()| self.index.write_all(&entry))
            .map_err(|e| self.io(e))?;
        self.rows += 1;
        self.num_tokens += row.ids.len() as u64;
        self.summary.truncated += u64::from(row.truncated);
        if self.summary.lengths.len() <= row.ids.len() {
            self.summary.lengths.resize(row.ids.len() + 1, 0);
        }
        self.summary.lengths[row.ids.len()] += 1;
        Ok(())
    }

    /// Completes the file, syncs it, and gives it its name; without one it lives until it is closed.
    pub(crate) fn finish(mut self, key: [u8; 32], place: Option<&Path>) -> Result<Cache> {
        let end = entry(self.num_tokens, 0, 0, 0);
        let summary =
            serde_json::to_vec(&self.summary).map_err(|e| self.io(std::io::Error::other(e)))?;
        let header = Header {
            layout: self.layout,
            rows: self.rows,
            tokens: self.num_tokens,
            summary_len: summary.len() as u64,
            key,
        };
        let result = (|| {
            self.index.write_all(&end)?;
            self.index.flush()?;
            let index = self.index.get_mut();
            index.seek(SeekFrom::Start(0))?;
            let mut chunk = vec![0; 1 << 18];
            loop {
                match index.read(&mut chunk)? {
                    0 => break,
                    n => self.tokens.write(&chunk[..n])?,
                }
            }
            self.tokens.write(&summary)?;
            let bytes = header.encode();
            self.tokens.hasher.update(bytes);
            self.tokens.output.seek(SeekFrom::Start(0))?;
            self.tokens.output.write_all(&bytes)?;
            self.tokens
                .output
                .write_all(&self.tokens.hasher.finalize_reset())?;
            self.tokens.output.flush()
        })();
        result.map_err(|e| self.io(e))?;
        let directory = self.directory();
        let error = |e| Error::io(&directory, "write to", e);
        let file = self
            .tokens
            .output
            .into_inner()
            .map_err(|e| error(e.into_error()))?;
        let (file, path) = match place {
            Some(place) => {
                file.as_file().sync_all().map_err(error)?;
                let file = file
                    .persist(place)
                    .map_err(|e| Error::io(place, "write", e.error))?;
                sync_directory(place);
                (file, place.to_path_buf())
            }
            // Keeping the handle and dropping the name leaves a file that vanishes when closed.
            None => {
                let path = file.path().to_path_buf();
                (file.reopen().map_err(error)?, path)
            }
        };
        let index_offset = header.index_offset().unwrap_or(u64::MAX);
        Ok(Cache {
            file,
            path,
            header,
            index_offset,
            summary: self.summary,
        })
    }

    fn directory(&self) -> PathBuf {
        let path = self.tokens.output.get_ref().path();
        path.parent().unwrap_or(path).to_path_buf()
    }

    fn io(&self, error: std::io::Error) -> Error {
        Error::io(&self.directory(), "write to", error)
    }
}

/// Prefix of files on their way, which a killed process leaves behind.
pub(crate) const PARTIAL: &str = ".tokens-";

/// After a rename the directory entry needs a sync of its own where the system has that.
fn sync_directory(file: &Path) {
    #[cfg(unix)]
    if let Some(directory) = file.parent()
        && let Ok(directory) = File::open(directory)
    {
        // The data is safe already; a directory that cannot be synced costs a rebuild at worst.
        let _ = directory.sync_all();
    }
    #[cfg(not(unix))]
    let _ = file;
}

fn entry(start: u64, row: u64, label: u32, file: u32) -> [u8; ENTRY as usize] {
    let mut bytes = [0; ENTRY as usize];
    bytes[..8].copy_from_slice(&start.to_le_bytes());
    bytes[8..16].copy_from_slice(&row.to_le_bytes());
    bytes[16..20].copy_from_slice(&label.to_le_bytes());
    bytes[20..].copy_from_slice(&file.to_le_bytes());
    bytes
}

fn read_u64(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[i]))
}

fn read_u32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| bytes[i]))
}

/// A finished cache, open for reading.
#[derive(Debug)]
pub(crate) struct Cache {
    file: File,
    path: PathBuf,
    header: Header,
    index_offset: u64,
    pub(crate) summary: Summary,
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Header {{ rows: {}, tokens: {} }}",
            self.rows, self.tokens
        )
    }
}

/// Index entry of one row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// First token.
    start: u64,
    /// Tokens.
    pub(crate) len: u32,
    /// Row in the source file.
    pub(crate) source_row: u64,
    /// Number of the source file.
    pub(crate) source_file: u32,
    label: u32,
}

impl Cache {
    /// Opens a cache and verifies every byte. `Err` says why it must be rebuilt.
    pub(crate) fn open(path: &Path, key: [u8; 32]) -> Result<Self, String> {
        let text = |e: std::io::Error| e.to_string();
        let mut file = File::open(path).map_err(text)?;
        let mut bytes = [0; HEADER as usize];
        file.read_exact(&mut bytes)
            .map_err(|_| "cut short".to_owned())?;
        let header = Header::decode(&bytes)?;
        if header.key != key {
            return Err("made from other data".to_owned());
        }
        let len = file.metadata().map_err(text)?.len();
        let (Some(index_offset), Some(expected)) = (header.index_offset(), header.file_len())
        else {
            return Err("impossible sizes".to_owned());
        };
        if len != expected {
            return Err(format!("{len} bytes instead of {expected}"));
        }
        let mut hasher = Sha256::new();
        let mut chunk = vec![0; 1 << 18];
        loop {
            match file.read(&mut chunk).map_err(text)? {
                0 => break,
                n => hasher.update(&chunk[..n]),
            }
        }
        hasher.update(&bytes[..HEADER_HASHED]);
        if hasher.finalize()[..] != bytes[HEADER_HASHED..HEADER_HASHED + 32] {
            return Err("wrong checksum".to_owned());
        }
        let mut summary = vec![0; header.summary_len as usize];
        read_exact_at(&file, &mut summary, len - header.summary_len).map_err(text)?;
        let summary = serde_json::from_slice(&summary).map_err(|e| e.to_string())?;
        Ok(Self {
            file,
            path: path.to_path_buf(),
            header,
            index_offset,
            summary,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn rows(&self) -> u64 {
        self.header.rows
    }

    pub(crate) fn tokens(&self) -> u64 {
        self.header.tokens
    }

    pub(crate) fn labels(&self) -> LabelKind {
        self.header.layout.labels
    }

    /// Index entries of the rows `row..row + count`.
    pub(crate) fn entries(&self, row: u64, count: usize) -> Result<Vec<Entry>> {
        let end = row.saturating_add(count as u64);
        if end > self.header.rows {
            return Err(Error::RowOutOfRange {
                row: end.max(1) - 1,
                len: self.header.rows,
            });
        }
        let mut bytes = vec![0; (count + 1) * ENTRY as usize];
        self.read(&mut bytes, self.index_offset + row * ENTRY)?;
        let at = |i: usize| &bytes[i * ENTRY as usize..];
        (0..count)
            .map(|i| {
                let (start, end) = (read_u64(at(i)), read_u64(at(i + 1)));
                let len = end
                    .checked_sub(start)
                    .and_then(|len| u32::try_from(len).ok());
                let Some(len) = len.filter(|_| end <= self.header.tokens) else {
                    return Err(self.damaged(format!("row {} has no valid extent", row + i as u64)));
                };
                Ok(Entry {
                    start,
                    len,
                    source_row: read_u64(&at(i)[8..]),
                    label: read_u32(&at(i)[16..]),
                    source_file: read_u32(&at(i)[20..]),
                })
            })
            .collect()
    }

    /// Appends the ids and type ids of a row. `scratch` is reused between calls.
    pub(crate) fn tokens_of(
        &self,
        entry: &Entry,
        scratch: &mut Vec<u8>,
        ids: &mut Vec<u32>,
        type_ids: &mut Vec<u32>,
    ) -> Result<()> {
        let layout = self.header.layout;
        let len = entry.len as usize;
        scratch.resize(len * layout.token_bytes() as usize, 0);
        self.read(scratch, HEADER + entry.start * layout.token_bytes())?;
        let width = if layout.wide { 4 } else { 2 };
        let (id_bytes, type_bytes) = scratch.split_at(len * width);
        if layout.wide {
            ids.extend(id_bytes.chunks_exact(4).map(read_u32));
        } else {
            let id = |b: &[u8]| u32::from(u16::from_le_bytes([b[0], b[1]]));
            ids.extend(id_bytes.chunks_exact(2).map(id));
        }
        if layout.pairs {
            type_ids.extend(type_bytes.iter().map(|&t| u32::from(t)));
        } else {
            type_ids.resize(type_ids.len() + len, 0);
        }
        Ok(())
    }

    pub(crate) fn label(&self, entry: &Entry) -> Option<Label> {
        match self.header.layout.labels {
            LabelKind::None => None,
            LabelKind::Classes => Some(Label::Class(entry.label)),
            LabelKind::Values => Some(Label::Value(f32::from_bits(entry.label))),
        }
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        read_exact_at(&self.file, buffer, offset).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => self.damaged("cut short".to_owned()),
            _ => Error::io(&self.path, "read", e),
        })
    }

    fn damaged(&self, message: String) -> Error {
        Error::Cache {
            path: self.path.clone(),
            message,
        }
    }
}
