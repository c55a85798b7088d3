//! A tensor on its way to a safetensors file.

use std::{borrow::Cow, collections::HashMap, fs::File, io, path::Path};

use burn::Tensor;
use safetensors::{Dtype, SafeTensorError, View};

/// A tensor under the name and in the layout of the Python tools. Holding one costs nothing: its
/// values are fetched from the device when they are written.
#[derive(Clone, Debug)]
pub struct NamedTensor {
    /// Name in the file.
    pub name: String,
    /// Shape in the file; linear weights are `[out, in]` there and `[in, out]` here.
    pub shape: Vec<usize>,
    /// Whether the file holds the transpose.
    pub transposed: bool,
    /// The values as the module holds them, flattened; without autodiff.
    pub tensor: Tensor<1>,
}

impl NamedTensor {
    /// A linear weight, `[in, out]` here and `[out, in]` in the file.
    pub fn transposed(name: String, tensor: Tensor<2>) -> Self {
        let [rows, columns] = tensor.dims();
        Self {
            name,
            shape: vec![columns, rows],
            transposed: true,
            tensor: tensor.inner().reshape([rows * columns]),
        }
    }

    /// A vector, with this shape in the file.
    pub fn vector(name: String, tensor: Tensor<1>, shape: Vec<usize>) -> Self {
        Self {
            name,
            shape,
            transposed: false,
            tensor: tensor.inner(),
        }
    }

    /// The values in the file's layout, row-major.
    pub fn values(&self) -> Vec<f32> {
        let values: Vec<f32> = self.tensor.clone().into_data().iter::<f32>().collect();
        match self.shape[..] {
            [out, input] if self.transposed => transpose(&values, input, out),
            _ => values,
        }
    }
}

impl View for &NamedTensor {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let values = self.values();
        Cow::Owned(match cfg!(target_endian = "little") {
            true => bytemuck::cast_slice(&values).to_vec(),
            false => values.into_iter().flat_map(f32::to_le_bytes).collect(),
        })
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * size_of::<f32>()
    }
}

/// Writes a safetensors file as the Python tools do, in f32, and syncs it. One tensor at a time is
/// fetched from the device.
pub fn write_tensors(path: &Path, tensors: &[NamedTensor]) -> io::Result<()> {
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    let views = tensors.iter().map(|tensor| (&tensor.name, tensor));
    safetensors::serialize_to_file(views, Some(metadata), path).map_err(|error| match error {
        SafeTensorError::IoError(error) => error,
        other => io::Error::other(other.to_string()),
    })?;
    File::open(path)?.sync_all()
}

/// `[rows, columns]` to `[columns, rows]`, in blocks that stay in the cache.
pub fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    const BLOCK: usize = 32;
    let mut transposed = vec![0.0; values.len()];
    for row_start in (0..rows).step_by(BLOCK) {
        for column_start in (0..columns).step_by(BLOCK) {
            for row in row_start..(row_start + BLOCK).min(rows) {
                for column in column_start..(column_start + BLOCK).min(columns) {
                    transposed[column * rows + row] = values[row * columns + column];
                }
            }
        }
    }
    transposed
}
