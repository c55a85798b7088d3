//! Reads a cache that is verified when it is opened.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::format::{
    ENTRY, HEADER, HEADER_HASHED, Header, Layout, Summary, read_label, read_u32, read_u64,
};
use finetune_task::Labels;

use crate::batch::builder::BatchBuilder;
use crate::read::positioned::read_exact_at;
use crate::{Error, Result};

/// A complete cache, open for reading.
#[derive(Debug)]
pub(crate) struct Cache {
    file: File,
    path: PathBuf,
    header: Header,
    index_offset: u64,
    pub(crate) summary: Summary,
}

/// The index entry of one row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    row: u64,
    /// Position of the row's first token.
    start: u64,
    /// Number of tokens.
    pub(crate) len: u32,
    /// Row in the source file.
    pub(crate) source_row: u64,
    /// Index of the source file.
    pub(crate) source_file: u32,
}

impl Cache {
    pub(super) fn new(file: File, path: PathBuf, header: Header, summary: Summary) -> Self {
        Self {
            file,
            path,
            index_offset: header.index_offset().unwrap_or(u64::MAX),
            header,
            summary,
        }
    }

    /// Opens a cache and verifies every byte. The error says why the cache must be rebuilt.
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
        let mut records = Sha256::new();
        hash_into(&mut records, &mut file, index_offset - HEADER).map_err(text)?;
        let mut hasher = Sha256::new();
        hasher.update(records.finalize());
        hash_into(&mut hasher, &mut file, len - index_offset).map_err(text)?;
        hasher.update(&bytes[..HEADER_HASHED]);
        if hasher.finalize()[..] != bytes[HEADER_HASHED..] {
            return Err("wrong checksum".to_owned());
        }
        let mut summary = vec![0; header.summary_len as usize];
        read_exact_at(&file, &mut summary, len - header.summary_len).map_err(text)?;
        let summary = serde_json::from_slice(&summary).map_err(|e| e.to_string())?;
        Ok(Self::new(file, path.to_path_buf(), header, summary))
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

    pub(crate) fn layout(&self) -> Layout {
        self.header.layout
    }

    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        self.header.fingerprint
    }

    /// Returns the index entries of the rows `row..row + count`.
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
        let entries = bytes.windows(2 * ENTRY as usize).step_by(ENTRY as usize);
        (row..)
            .zip(entries)
            .map(|(row, bytes)| self.decode(row, bytes))
            .collect()
    }

    /// Returns the index entry of one row.
    pub(crate) fn entry(&self, row: u64) -> Result<Entry> {
        if row >= self.header.rows {
            return Err(Error::RowOutOfRange {
                row,
                len: self.header.rows,
            });
        }
        // The buffer is on the stack because this is called for each row of a batch.
        let mut bytes = [0; 2 * ENTRY as usize];
        self.read(&mut bytes, self.index_offset + row * ENTRY)?;
        self.decode(row, &bytes)
    }

    /// Decodes the entry of a row from `bytes`, which hold it and the next one.
    fn decode(&self, row: u64, bytes: &[u8]) -> Result<Entry> {
        let (start, end) = (read_u64(bytes), read_u64(&bytes[ENTRY as usize..]));
        let len = end
            .checked_sub(start)
            .and_then(|len| u32::try_from(len).ok());
        let Some(len) = len.filter(|_| end <= self.header.tokens) else {
            return Err(self.damaged(format!("row {row} has no valid extent")));
        };
        Ok(Entry {
            row,
            start,
            len,
            source_row: read_u64(&bytes[8..]),
            source_file: read_u32(&bytes[16..]),
        })
    }

    /// Returns a builder of a batch without rows.
    pub(crate) fn empty_batch(&self, capacity: usize) -> BatchBuilder {
        BatchBuilder::new(self.no_labels(capacity))
    }

    /// Returns empty labels of the right kind.
    pub(crate) fn no_labels(&self, capacity: usize) -> Labels {
        self.header.layout.no_labels(capacity)
    }

    /// Appends a row to a batch, with its label if it is `labelled`. `scratch` is reused between calls.
    pub(crate) fn append(
        &self,
        row: u64,
        labelled: bool,
        scratch: &mut Vec<u8>,
        batch: &mut BatchBuilder,
    ) -> Result<()> {
        let entry = self.entry(row)?;
        let layout = self.header.layout;
        let len = entry.len as usize;
        scratch.resize(
            len * layout.token_bytes() as usize + layout.label_bytes() as usize,
            0,
        );
        self.read(scratch, self.record_offset(&entry))?;
        let (ids, rest) = scratch.split_at(len * layout.id_bytes());
        let (type_ids, label) = rest.split_at(if layout.pairs { len } else { 0 });
        if layout.wide {
            batch.ids.extend(ids.chunks_exact(4).map(read_u32));
        } else {
            let id = |b: &[u8]| u32::from(u16::from_le_bytes([b[0], b[1]]));
            batch.ids.extend(ids.chunks_exact(2).map(id));
        }
        batch
            .type_ids
            .extend(type_ids.iter().map(|&t| u32::from(t)));
        batch.type_ids.resize(batch.ids.len(), 0);
        if labelled {
            read_label(label, &mut batch.labels);
        }
        batch.close_row(row)
    }

    /// Appends the label of a row.
    pub(crate) fn append_label(&self, row: u64, labels: &mut Labels) -> Result<()> {
        let entry = self.entry(row)?;
        let layout = self.header.layout;
        let mut bytes = vec![0; layout.label_bytes() as usize];
        let tokens = u64::from(entry.len) * layout.token_bytes();
        self.read(&mut bytes, self.record_offset(&entry) + tokens)?;
        read_label(&bytes, labels);
        Ok(())
    }

    fn record_offset(&self, entry: &Entry) -> u64 {
        let layout = self.header.layout;
        HEADER + entry.start * layout.token_bytes() + entry.row * layout.label_bytes()
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

/// Hashes the next `len` bytes of a file.
fn hash_into(hasher: &mut Sha256, file: &mut File, len: u64) -> std::io::Result<()> {
    let mut rest = file.take(len);
    let mut chunk = vec![0; 1 << 18];
    loop {
        match rest.read(&mut chunk)? {
            0 => return Ok(()),
            n => hasher.update(&chunk[..n]),
        }
    }
}
