//! Writes a cache either completely or not at all.

use std::fs::File;
use std::io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use finetune_files::NewFile;
use sha2::{Digest as _, Sha256};

use super::format::{HEADER, Header, Layout, Summary, entry, fingerprint, write_label};
use super::reader::Cache;
use crate::tokens::text_encoder::Encoded;
use crate::{Error, Labels, Result};

/// Writes a cache under a temporary name. The index goes to a second, unnamed file until its
/// position in the first one is known, so memory use does not grow.
pub(crate) struct CacheWriter {
    output: Hashed,
    index: BufWriter<File>,
    /// Hash of the row lengths.
    lengths: Sha256,
    layout: Layout,
    rows: u64,
    num_tokens: u64,
    summary: Summary,
    buffer: Vec<u8>,
}

/// The cache file under construction, hashed as it is written.
struct Hashed {
    output: BufWriter<NewFile>,
    hasher: Sha256,
}

impl Hashed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.hasher.update(bytes);
        self.output.write_all(bytes)
    }
}

impl CacheWriter {
    /// Starts a cache that will be at `place` in `directory`, which must exist; without a place it lives until it
    /// is closed.
    pub(crate) fn create(directory: &Path, place: Option<&Path>, layout: Layout) -> Result<Self> {
        let error = |e| Error::io(directory, WRITE, e);
        let place = place.map_or_else(|| directory.join("tokens"), Path::to_path_buf);
        let file = NewFile::beside(&place).map_err(|e| error(e.source))?;
        let index = tempfile::tempfile_in(directory).map_err(error)?;
        let mut output = BufWriter::with_capacity(1 << 20, file);
        output.write_all(&[0; HEADER as usize]).map_err(error)?;
        Ok(Self {
            output: Hashed {
                output,
                hasher: Sha256::new(),
            },
            index: BufWriter::with_capacity(1 << 18, index),
            lengths: Sha256::new(),
            layout,
            rows: 0,
            num_tokens: 0,
            summary: Summary {
                class_counts: match layout.has_classes() {
                    true => vec![0; layout.outputs as usize],
                    false => Vec::new(),
                },
                ..Summary::default()
            },
            buffer: Vec::new(),
        })
    }

    /// Appends a row whose label is that of row `index` of `labels`, which are none for a row without one.
    pub(crate) fn push(
        &mut self,
        row: &Encoded,
        source: (u32, u64),
        labels: &Labels,
        index: usize,
    ) -> Result<()> {
        let record = &mut self.buffer;
        record.clear();
        for id in &row.ids {
            record.extend_from_slice(&id.to_le_bytes()[..self.layout.id_bytes()]);
        }
        if self.layout.pairs {
            record.extend(row.type_ids.iter().map(|&t| t as u8));
        }
        let tokens = record.len();
        write_label(labels, index, record);
        // A row without a label has zeros in its place, which are never read.
        record.resize(tokens + self.layout.label_bytes() as usize, 0);
        let written = self.output.write(record);
        let entry = entry(self.num_tokens, source.1, source.0);
        written
            .and_then(|()| self.index.write_all(&entry))
            .map_err(|e| self.io(e))?;
        self.rows += 1;
        self.num_tokens += row.ids.len() as u64;
        self.lengths.update((row.ids.len() as u64).to_le_bytes());
        for class in labels.classes_of(index) {
            if let Some(count) = self.summary.class_counts.get_mut(class) {
                *count += 1;
            }
        }
        self.summary.truncated += u64::from(row.truncated);
        if self.summary.lengths.len() <= row.ids.len() {
            self.summary.lengths.resize(row.ids.len() + 1, 0);
        }
        self.summary.lengths[row.ids.len()] += 1;
        Ok(())
    }

    /// Completes the file, syncs it and renames it to `place`; without a place, it lives until it
    /// is closed. `options` says how the rows were made, for the fingerprint.
    pub(crate) fn finish(
        mut self,
        key: [u8; 32],
        options: &str,
        place: Option<&Path>,
    ) -> Result<Cache> {
        // The records have a hash of their own, which goes into the checksum of the file.
        let records: [u8; 32] = self.output.hasher.finalize_reset().into();
        self.output.hasher.update(records);
        let lengths = self.lengths.finalize_reset().into();
        let end = entry(self.num_tokens, 0, 0);
        let summary =
            serde_json::to_vec(&self.summary).map_err(|e| self.io(std::io::Error::other(e)))?;
        let header = Header {
            layout: self.layout,
            rows: self.rows,
            tokens: self.num_tokens,
            summary_len: summary.len() as u64,
            key,
            fingerprint: fingerprint(self.layout, options, &records, &lengths),
        };
        self.write_rest(&header, &end, &summary)
            .map_err(|e| self.io(e))?;
        let directory = self.directory();
        let error = |e| Error::io(&directory, WRITE, e);
        let file = self
            .output
            .output
            .into_inner()
            .map_err(|e| error(e.into_error()))?;
        let path = file.place().to_path_buf();
        let file = match place {
            Some(_) => file.replace(),
            // The open file is all there is of it.
            None => file.unnamed(),
        };
        let file = file.map_err(|e| error(e.source))?;
        Ok(Cache::new(file, path, header, self.summary))
    }

    /// Writes everything but the records: the index and the summary after them, and the header
    /// before.
    fn write_rest(&mut self, header: &Header, end: &[u8], summary: &[u8]) -> std::io::Result<()> {
        self.index.write_all(end)?;
        self.index.flush()?;
        let index = self.index.get_mut();
        index.seek(SeekFrom::Start(0))?;
        let mut chunk = vec![0; 1 << 18];
        loop {
            match index.read(&mut chunk)? {
                0 => break,
                n => self.output.write(&chunk[..n])?,
            }
        }
        self.output.write(summary)?;
        let bytes = header.encode();
        self.output.hasher.update(bytes);
        let checksum = self.output.hasher.finalize_reset();
        let output = &mut self.output.output;
        output.seek(SeekFrom::Start(0))?;
        output.write_all(&bytes)?;
        output.write_all(&checksum)?;
        output.flush()
    }

    fn directory(&self) -> PathBuf {
        let path = self.output.output.get_ref().place();
        path.parent().unwrap_or(path).to_path_buf()
    }

    fn io(&self, error: std::io::Error) -> Error {
        Error::io(&self.directory(), WRITE, error)
    }
}

/// The action named in errors about this file.
pub(crate) const WRITE: &str = "write tokens to";
