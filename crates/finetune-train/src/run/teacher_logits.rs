//! The teacher's logits for the rows of a run, computed once and kept in its directory.

use std::{
    fs::File,
    io::{BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use burn::module::Module;
use finetune_data::TokenizedDataset;
use finetune_files::{FileError, IoContext, NewFile};
use finetune_infer::Workers;
use finetune_kernels::{DropoutSource, values_of};
use finetune_models::SequenceClassifier;
use sha2::{Digest, Sha256};

use crate::{Event, Observers, TrainError, frozen::features::disk::read_exact_at};

const MAGIC: &[u8; 8] = b"FTLOGITS";
/// Bytes before the logits: magic, key, number of rows and of outputs, checksum of the logits.
const HEADER: u64 = 8 + 32 + 8 + 8 + 32;
/// Number of rows whose texts are sorted by length together.
const CHUNK: u64 = 1 << 10;
/// Largest number of rows in a batch.
const BATCH_ROWS: usize = 32;

/// What the logits are a function of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogitsKey([u8; 32]);

impl LogitsKey {
    /// Creates the key from the teacher's hash, its rows, and whatever else decides what it computes.
    pub fn new(teacher_sha256: &str, rows: &TokenizedDataset, more: &str) -> Self {
        let hash = Sha256::new()
            .chain_update(teacher_sha256)
            .chain_update(rows.fingerprint())
            .chain_update(more);
        Self(hash.finalize().into())
    }
}

/// Logits in a file, `[rows, outputs]` in row-major order as little-endian f32, which are read by position.
#[derive(Debug)]
pub(crate) struct TeacherLogits {
    file: File,
    path: PathBuf,
    rows: u64,
    outputs: usize,
}

impl TeacherLogits {
    /// Opens a file and verifies every byte. The error says why the logits have to be computed again.
    pub fn open(path: &Path, key: LogitsKey) -> Result<Self, String> {
        let text = |error: std::io::Error| error.to_string();
        let mut file = File::open(path).map_err(text)?;
        let mut header = [0; HEADER as usize];
        file.read_exact(&mut header)
            .map_err(|_| "it is cut short".to_string())?;
        let (start, checksum) = header.split_at(HEADER as usize - 32);
        if start[..8] != MAGIC[..] || start[8..40] != key.0 {
            return Err("it belongs to another teacher or other rows".into());
        }
        let number = |at: usize| {
            let bytes = start[at..at + 8].try_into().unwrap_or_default();
            u64::from_le_bytes(bytes)
        };
        let (rows, outputs) = (number(40), number(48));
        let mut hash = Sha256::new();
        let mut chunk = vec![0; 1 << 18];
        let mut length = 0;
        loop {
            match file.read(&mut chunk).map_err(text)? {
                0 => break,
                count => {
                    hash.update(&chunk[..count]);
                    length += count as u64;
                }
            }
        }
        let expected = rows.checked_mul(outputs).and_then(|all| all.checked_mul(4));
        if expected != Some(length) || hash.finalize()[..] != *checksum {
            return Err("its checksum is wrong".into());
        }
        Ok(Self {
            file,
            path: path.into(),
            rows,
            outputs: outputs as usize,
        })
    }

    /// Computes the logits of all rows and writes the file, which appears whole or not at all. `split` names
    /// the rows. Rows of similar length are computed together, in an order that depends on the data alone.
    ///
    /// # Errors
    /// Fails if the rows do not fit the model, if the file cannot be written, or with
    /// [`TrainError::Interrupted`].
    pub fn compute(
        path: &Path,
        key: LogitsKey,
        model: &SequenceClassifier,
        data: &TokenizedDataset,
        split: &'static str,
        observers: &mut Observers<'_>,
    ) -> Result<Self, TrainError> {
        let rows = data.len();
        observers.emit(&Event::Teaching { split, rows })?;
        let model = model.valid();
        let workers = Workers::of(&model.device());
        let outputs = model.config().outputs.num_labels();
        let failed = |error| FileError::new("write", path, error);
        let mut out = BufWriter::new(NewFile::beside(path)?);
        out.write_all(&[0; HEADER as usize]).map_err(failed)?;
        let (mut hash, mut done) = (Sha256::new(), 0);
        for first in (0..rows).step_by(CHUNK as usize) {
            let numbers: Vec<u64> = (first..rows.min(first + CHUNK)).collect();
            let batch = data.batch(&numbers)?;
            let mut logits = vec![0.0; numbers.len() * outputs];
            for group in batch.by_length(BATCH_ROWS, workers.tokens_at_once()) {
                let tokens = batch.tokens.select(&group);
                let found = workers.run(|| model.forward(&tokens, DropoutSource::OFF))?;
                let found = values_of(found);
                for (&row, found) in group.iter().zip(found.chunks_exact(outputs)) {
                    logits[row * outputs..][..outputs].copy_from_slice(found);
                }
                done += group.len() as u64;
                observers.emit(&Event::EvaluationProgress { rows: done })?;
                if observers.interrupted() {
                    return Err(TrainError::Interrupted);
                }
            }
            let bytes: Vec<u8> = logits.iter().flat_map(|x: &f32| x.to_le_bytes()).collect();
            hash.update(&bytes);
            out.write_all(&bytes).map_err(failed)?;
        }
        out.seek(SeekFrom::Start(0)).map_err(failed)?;
        let sizes = [rows, outputs as u64].map(u64::to_le_bytes).concat();
        let header = [MAGIC, &key.0[..], &sizes, &hash.finalize()].concat();
        out.write_all(&header).map_err(failed)?;
        let file = out
            .into_inner()
            .map_err(|error| failed(error.into_error()))?;
        file.replace()?;
        Ok(Self {
            file: File::open(path).context("read", path)?,
            path: path.into(),
            rows,
            outputs,
        })
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns the number of logits of a row.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Reads the logits of rows, `[rows, outputs]` in row-major order.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn read(&self, rows: &[u64]) -> Result<Vec<f32>, TrainError> {
        let width = 4 * self.outputs;
        let mut bytes = vec![0; rows.len() * width];
        for (&row, bytes) in rows.iter().zip(bytes.chunks_exact_mut(width.max(1))) {
            let offset = HEADER + row * width as u64;
            read_exact_at(&self.file, bytes, offset).context("read", &self.path)?;
        }
        let values = bytes.as_chunks::<4>().0.iter();
        Ok(values.map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }
}
