//! Tensors stored in a file, read as f32.
//!
//! Files are read straight into the tensor's buffer. Compared with a memory map, this keeps one copy
//! fewer in memory, and a file that shrinks meanwhile is an error instead of a signal.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use finetune_kernels::{transpose, transpose_rows};
use half::{bf16, f16};

use crate::ModelError;

/// Number of rows of a matrix that are transposed at a time.
const BLOCK: usize = 32;
/// Number of elements that are converted at a time.
const CHUNK: usize = 1 << 16;

/// The type of a tensor's elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    F16,
    Bf16,
    F32,
    F64,
    /// A type that is not used for weights: its name and the size of an element in bytes.
    Other(String, usize),
}

impl Kind {
    /// Returns the size of an element in bytes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::Other(_, size) => *size,
        }
    }
}

/// The location of a tensor in a file. The constructor's caller has checked that all of it is inside the
/// file, and that its shape has no more elements than the file stores.
#[derive(Clone, Debug)]
pub(crate) struct RawTensor {
    pub(crate) kind: Kind,
    pub(crate) shape: Vec<usize>,
    /// Distance in elements between neighbours along each dimension; `None` for row-major without gaps.
    pub(crate) strides: Option<Vec<usize>>,
    /// Offset of the first element in the file, in bytes.
    pub(crate) start: u64,
}

impl RawTensor {
    /// Reads the tensor as f32 in row-major order.
    pub(crate) fn read(
        &self,
        name: &str,
        file: &mut File,
        path: &Path,
    ) -> Result<Vec<f32>, ModelError> {
        let mut reader = self.reader(name, file, path)?;
        let Some(strides) = &self.strides else {
            let mut values = vec![0.0; self.num_elements()];
            reader.fill(&mut values)?;
            return Ok(values);
        };
        let steps = self.shape.iter().zip(strides);
        let extent = steps.map(|(&size, &stride)| size.saturating_sub(1) * stride);
        let mut there = vec![0.0; extent.sum::<usize>() + 1];
        reader.fill(&mut there)?;
        let mut index = vec![0; self.shape.len()];
        let values = (0..self.num_elements()).map(|_| {
            let place: usize = index
                .iter()
                .zip(strides)
                .map(|(i, stride)| i * stride)
                .sum();
            for (i, &size) in index.iter_mut().zip(&self.shape).rev() {
                *i += 1;
                if *i < size {
                    break;
                }
                *i = 0;
            }
            there[place]
        });
        Ok(values.collect())
    }

    /// Reads a matrix `[rows, columns]` as `[columns, rows]`, through a buffer of a few rows, so that it
    /// is in memory only once.
    pub(crate) fn read_transposed(
        &self,
        name: &str,
        file: &mut File,
        path: &Path,
    ) -> Result<Vec<f32>, ModelError> {
        let &[rows, columns] = self.shape.as_slice() else {
            return Err(invalid(path, format!("tensor {name} is not a matrix")));
        };
        if self.strides.is_some() {
            return Ok(transpose(&self.read(name, file, path)?, rows, columns));
        }
        let mut reader = self.reader(name, file, path)?;
        let mut transposed = vec![0.0; self.num_elements()];
        let mut block = vec![0.0; BLOCK.min(rows) * columns];
        for first in (0..rows).step_by(BLOCK) {
            let count = BLOCK.min(rows - first);
            let block = &mut block[..count * columns];
            reader.fill(block)?;
            transpose_rows(block, columns, &mut transposed, rows, first);
        }
        Ok(transposed)
    }

    pub(crate) fn num_elements(&self) -> usize {
        self.shape.iter().product()
    }

    fn reader<'a>(
        &'a self,
        name: &'a str,
        file: &'a mut File,
        path: &'a Path,
    ) -> Result<Elements<'a>, ModelError> {
        file.seek(SeekFrom::Start(self.start))
            .map_err(ModelError::read(path))?;
        Ok(Elements {
            kind: &self.kind,
            name,
            file,
            path,
        })
    }
}

/// Reads the elements of a tensor one after the other.
struct Elements<'a> {
    kind: &'a Kind,
    name: &'a str,
    file: &'a mut File,
    path: &'a Path,
}

impl Elements<'_> {
    fn fill(&mut self, values: &mut [f32]) -> Result<(), ModelError> {
        match self.kind {
            Kind::F32 => {
                self.read(bytemuck::cast_slice_mut(values))?;
                if cfg!(target_endian = "big") {
                    for value in values {
                        *value = f32::from_bits(value.to_bits().swap_bytes());
                    }
                }
                Ok(())
            }
            Kind::F16 => self.convert(values, |bytes| f16::from_le_bytes(bytes).to_f32()),
            Kind::Bf16 => self.convert(values, |bytes| bf16::from_le_bytes(bytes).to_f32()),
            Kind::F64 => self.convert(values, |bytes| f64::from_le_bytes(bytes) as f32),
            Kind::Other(found, _) => {
                let problem = format!(
                    "tensor {} is {found}; expected F32, F16, BF16 or F64",
                    self.name
                );
                Err(invalid(self.path, problem))
            }
        }
    }

    fn convert<const N: usize>(
        &mut self,
        values: &mut [f32],
        convert: impl Fn([u8; N]) -> f32,
    ) -> Result<(), ModelError> {
        let mut buffer = vec![0; N * CHUNK.min(values.len())];
        for values in values.chunks_mut(CHUNK) {
            let bytes = &mut buffer[..N * values.len()];
            self.read(bytes)?;
            let (elements, _) = bytes.as_chunks::<N>();
            for (value, element) in values.iter_mut().zip(elements) {
                *value = convert(*element);
            }
        }
        Ok(())
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<(), ModelError> {
        self.file
            .read_exact(bytes)
            .map_err(ModelError::read(self.path))
    }
}

fn invalid(path: &Path, problem: String) -> ModelError {
    ModelError::Weights {
        path: path.into(),
        problem,
    }
}
