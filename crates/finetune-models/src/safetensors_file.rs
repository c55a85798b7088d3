//! Reads weights from a safetensors file, one tensor at a time.
//!
//! Positioned reads go straight into the tensor's buffer: against a memory map that is one copy
//! less resident, and a file that shrinks meanwhile is an error and not a signal.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use half::{bf16, f16};
use safetensors::tensor::{Dtype, Metadata};

use crate::ModelError;

/// Longest header that is read; the format's own limit.
const MAX_HEADER: u64 = 100_000_000;

/// An open safetensors file with a checked header.
#[derive(Debug)]
pub struct SafetensorsFile {
    path: PathBuf,
    file: File,
    data_start: u64,
    metadata: Metadata,
}

impl SafetensorsFile {
    /// Opens a file and checks its header against itself and the file's length: offsets that
    /// overlap, leave gaps or pass the end, and sizes that do not follow from shapes are errors.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let invalid = |problem: String| ModelError::Weights {
            path: path.into(),
            problem,
        };
        let mut file = File::open(path).map_err(ModelError::read(path))?;
        let length = file.metadata().map_err(ModelError::read(path))?.len();
        if length < 8 {
            return Err(invalid(format!(
                "it has {length} bytes, too few for a header"
            )));
        }
        let mut prefix = [0; 8];
        file.read_exact(&mut prefix)
            .map_err(ModelError::read(path))?;
        let header_length = u64::from_le_bytes(prefix);
        if header_length > MAX_HEADER || header_length > length - 8 {
            return Err(invalid(format!(
                "its header claims {header_length} bytes, the file has {length}"
            )));
        }
        let mut header = vec![0; header_length as usize];
        file.read_exact(&mut header)
            .map_err(ModelError::read(path))?;
        // Deserializing checks offsets, shapes and sizes against each other.
        let metadata: Metadata = serde_json::from_slice(&header)
            .map_err(|error| invalid(format!("bad header: {error}")))?;
        let data_start = 8 + header_length;
        let expected = data_start.saturating_add(metadata.data_len() as u64);
        if expected != length {
            return Err(invalid(format!(
                "its header describes {expected} bytes, the file has {length} (cut short, or something appended)"
            )));
        }
        Ok(Self {
            path: path.into(),
            file,
            data_start,
            metadata,
        })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of all tensors, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names = self.metadata.offset_keys();
        names.sort();
        names
    }

    /// Shape of a tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.metadata.info(name).map(|info| info.shape.as_slice())
    }

    /// Reads a tensor of f32, f16 or bf16 as f32, row-major.
    pub fn read_f32(&mut self, name: &str) -> Result<Vec<f32>, ModelError> {
        let (dtype, elements) = self.seek(name)?;
        let mut values = vec![0.0; elements];
        self.fill_f32(name, dtype, &mut values)?;
        Ok(values)
    }

    /// Reads a matrix `[rows, columns]` of f32, f16 or bf16 as f32 `[columns, rows]`: some rows at a
    /// time, so that it is in memory once.
    pub fn read_f32_transposed(&mut self, name: &str) -> Result<Vec<f32>, ModelError> {
        const BLOCK: usize = 32;
        let (dtype, elements) = self.seek(name)?;
        let Some(&[rows, columns]) = self.shape(name) else {
            return Err(self.invalid(format!("tensor {name} is not a matrix")));
        };
        let mut transposed = vec![0.0; elements];
        let mut block = vec![0.0; BLOCK.min(rows) * columns];
        for first in (0..rows).step_by(BLOCK) {
            let count = BLOCK.min(rows - first);
            let block = &mut block[..count * columns];
            self.fill_f32(name, dtype, block)?;
            for (column, target) in transposed.chunks_exact_mut(rows).enumerate() {
                let target = target[first..][..count].iter_mut();
                let values = block[column..].iter().step_by(columns);
                target
                    .zip(values)
                    .for_each(|(target, value)| *target = *value);
            }
        }
        Ok(transposed)
    }

    /// Reads a tensor of i32.
    pub fn read_i32(&mut self, name: &str) -> Result<Vec<i32>, ModelError> {
        self.read_exactly(name, Dtype::I32, i32::from_le_bytes)
    }

    /// Reads a tensor of f64.
    pub fn read_f64(&mut self, name: &str) -> Result<Vec<f64>, ModelError> {
        self.read_exactly(name, Dtype::F64, f64::from_le_bytes)
    }

    fn read_exactly<T, const N: usize>(
        &mut self,
        name: &str,
        dtype: Dtype,
        convert: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<T>, ModelError> {
        let (found, elements) = self.seek(name)?;
        if found != dtype {
            return Err(self.invalid(format!("tensor {name} is {found:?}; expected {dtype:?}")));
        }
        let mut bytes = vec![0; elements * N];
        self.fill(&mut bytes)?;
        let (chunks, _) = bytes.as_chunks::<N>();
        Ok(chunks.iter().map(|chunk| convert(*chunk)).collect())
    }

    fn invalid(&self, problem: String) -> ModelError {
        ModelError::Weights {
            path: self.path.clone(),
            problem,
        }
    }

    /// Goes to the start of a tensor; its type and number of elements.
    fn seek(&mut self, name: &str) -> Result<(Dtype, usize), ModelError> {
        let Some(info) = self.metadata.info(name) else {
            return Err(self.invalid(format!("it has no tensor {name}")));
        };
        let (dtype, elements) = (info.dtype, info.shape.iter().product());
        let start = self.data_start + info.data_offsets.0 as u64;
        self.file
            .seek(SeekFrom::Start(start))
            .map_err(ModelError::read(&self.path))?;
        Ok((dtype, elements))
    }

    /// The next values of a tensor of this type, as f32.
    fn fill_f32(&mut self, name: &str, dtype: Dtype, values: &mut [f32]) -> Result<(), ModelError> {
        match dtype {
            Dtype::F32 => {
                self.fill(bytemuck::cast_slice_mut(values))?;
                if cfg!(target_endian = "big") {
                    for value in values {
                        *value = f32::from_bits(value.to_bits().swap_bytes());
                    }
                }
                Ok(())
            }
            Dtype::F16 => self.fill_halves(values, |bits| f16::from_bits(bits).to_f32()),
            Dtype::BF16 => self.fill_halves(values, |bits| bf16::from_bits(bits).to_f32()),
            other => Err(self.invalid(format!(
                "tensor {name} is {other:?}; expected F32, F16 or BF16"
            ))),
        }
    }

    fn fill_halves(
        &mut self,
        values: &mut [f32],
        convert: impl Fn(u16) -> f32,
    ) -> Result<(), ModelError> {
        const CHUNK: usize = 1 << 16;
        let mut buffer = vec![0; 2 * CHUNK.min(values.len())];
        for values in values.chunks_mut(CHUNK) {
            let bytes = &mut buffer[..2 * values.len()];
            self.fill(bytes)?;
            for (value, pair) in values.iter_mut().zip(bytes.chunks_exact(2)) {
                *value = convert(u16::from_le_bytes([pair[0], pair[1]]));
            }
        }
        Ok(())
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), ModelError> {
        self.file
            .read_exact(bytes)
            .map_err(ModelError::read(&self.path))
    }
}
