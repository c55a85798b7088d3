//! Reads tensors from a safetensors file, one at a time.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use ::safetensors::tensor::{Dtype, Metadata};

use super::raw_tensor::{Kind, RawTensor};
use crate::ModelError;

/// Maximum size of a header in bytes, as the format defines it.
const MAX_HEADER: u64 = 100_000_000;

/// The problem with a file that Git LFS has not fetched.
pub(crate) const LFS_POINTER: &str =
    "it is a Git LFS pointer, not the file itself (run `git lfs pull` in the model's directory)";

/// Returns whether a file begins like a Git LFS pointer, and rewinds it.
pub(crate) fn is_lfs_pointer(file: &mut File) -> std::io::Result<bool> {
    let mut start = Vec::new();
    file.take(20).read_to_end(&mut start)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(start.starts_with(b"version https://git"))
}

/// An open safetensors file with a checked header.
#[derive(Debug)]
pub struct SafetensorsFile {
    path: PathBuf,
    file: File,
    data_start: u64,
    metadata: Metadata,
}

impl SafetensorsFile {
    /// Opens a file and checks that its header is consistent in itself and with the file's length.
    ///
    /// # Errors
    /// Fails if the file cannot be read, if offsets overlap, leave gaps or pass the end, or if sizes
    /// do not follow from the shapes.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let invalid = |problem: String| ModelError::Weights {
            path: path.into(),
            problem,
        };
        let mut file = File::open(path).map_err(ModelError::read(path))?;
        let length = file.metadata().map_err(ModelError::read(path))?.len();
        if is_lfs_pointer(&mut file).map_err(ModelError::read(path))? {
            return Err(invalid(LFS_POINTER.into()));
        }
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

    /// Returns the file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the names of all tensors, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names = self.metadata.offset_keys();
        names.sort();
        names
    }

    /// Returns the shape of a tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.metadata.info(name).map(|info| info.shape.as_slice())
    }

    /// Reads a tensor of f32, f16, bf16 or f64 as f32 in row-major order.
    ///
    /// # Errors
    /// Fails if the tensor is missing, has another type, or cannot be read.
    pub fn read_f32(&mut self, name: &str) -> Result<Vec<f32>, ModelError> {
        self.raw(name)?.read(name, &mut self.file, &self.path)
    }

    /// Reads a matrix `[rows, columns]` of f32, f16, bf16 or f64 as f32 `[columns, rows]`. It goes
    /// through a buffer of a few rows, so that it is in memory only once.
    ///
    /// # Errors
    /// Fails under the same conditions as [`read_f32`](Self::read_f32), and if the tensor is not a
    /// matrix.
    pub fn read_f32_transposed(&mut self, name: &str) -> Result<Vec<f32>, ModelError> {
        let tensor = self.raw(name)?;
        tensor.read_transposed(name, &mut self.file, &self.path)
    }

    /// Returns the location of a tensor.
    pub(crate) fn raw(&self, name: &str) -> Result<RawTensor, ModelError> {
        let Some(info) = self.metadata.info(name) else {
            return Err(self.invalid(format!("it has no tensor {name}")));
        };
        Ok(RawTensor {
            kind: match info.dtype {
                Dtype::F16 => Kind::F16,
                Dtype::BF16 => Kind::Bf16,
                Dtype::F32 => Kind::F32,
                Dtype::F64 => Kind::F64,
                other => Kind::Other(format!("{other:?}"), other.bitsize().div_ceil(8)),
            },
            shape: info.shape.clone(),
            strides: None,
            start: self.data_start + info.data_offsets.0 as u64,
        })
    }

    /// Reads a tensor of i32.
    ///
    /// # Errors
    /// Fails if the tensor is missing, has another type, or cannot be read.
    pub fn read_i32(&mut self, name: &str) -> Result<Vec<i32>, ModelError> {
        self.read_exactly(name, Dtype::I32, i32::from_le_bytes)
    }

    /// Reads a tensor of f64.
    ///
    /// # Errors
    /// Fails if the tensor is missing, has another type, or cannot be read.
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

    /// Seeks to the start of a tensor and returns its type and number of elements.
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

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), ModelError> {
        self.file
            .read_exact(bytes)
            .map_err(ModelError::read(&self.path))
    }
}
