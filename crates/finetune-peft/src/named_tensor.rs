//! A tensor on its way to a safetensors file.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use burn::Tensor;
use safetensors::{
    Dtype,
    tensor::{Metadata, TensorInfo},
};

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
        let values = fetch(self.tensor.clone());
        match self.shape[..] {
            [out, input] if self.transposed => transpose(&values, input, out),
            _ => values,
        }
    }

    fn num_bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * size_of::<f32>()
    }

    /// Writes the values; of a large tensor one piece at a time is fetched.
    fn write_to(&self, file: &mut impl Write) -> io::Result<()> {
        if self.transposed {
            return write_floats(file, &self.values());
        }
        let length = self.tensor.dims()[0];
        for start in (0..length).step_by(PIECE) {
            let piece = self
                .tensor
                .clone()
                .slice([start..length.min(start + PIECE)]);
            write_floats(file, &fetch(piece))?;
        }
        Ok(())
    }
}

/// Elements of a tensor that are fetched at a time: an embedding table would be the peak of a
/// run's memory.
const PIECE: usize = 1 << 20;

fn fetch(tensor: Tensor<1>) -> Vec<f32> {
    let data = tensor.into_data();
    match data.as_slice::<f32>() {
        Ok(values) => values.to_vec(),
        Err(_) => data.iter::<f32>().collect(),
    }
}

fn write_floats(file: &mut impl Write, values: &[f32]) -> io::Result<()> {
    if cfg!(target_endian = "little") {
        return file.write_all(bytemuck::cast_slice(values));
    }
    let mut bytes = values.iter().map(|value| value.to_le_bytes());
    bytes.try_for_each(|bytes| file.write_all(&bytes))
}

/// Writes a safetensors file as the Python tools do, in f32, and syncs it. One tensor (of a large
/// one a piece) at a time is fetched from the device.
pub fn write_tensors(path: &Path, tensors: &[NamedTensor]) -> io::Result<()> {
    let mut tensors: Vec<_> = tensors.iter().collect();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    let mut end = 0;
    let infos = tensors.iter().map(|tensor| {
        let start = end;
        end += tensor.num_bytes();
        let info = TensorInfo {
            dtype: Dtype::F32,
            shape: tensor.shape.clone(),
            data_offsets: (start, end),
        };
        (tensor.name.clone(), info)
    });
    let format = HashMap::from([("format".to_string(), "pt".to_string())]);
    let metadata = Metadata::new(Some(format), infos.collect()).map_err(io::Error::other)?;
    let mut header = serde_json::to_vec(&metadata)?;
    header.resize(header.len().next_multiple_of(8), b' ');

    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&header)?;
    tensors
        .iter()
        .try_for_each(|tensor| tensor.write_to(&mut file))?;
    file.into_inner()?.sync_all()
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use burn::tensor::Device;
    use safetensors::tensor::TensorView;

    use super::*;

    /// The same bytes as the safetensors crate writes, for tensors below and above a piece.
    #[test]
    fn files_are_those_of_the_safetensors_crate() {
        let device = Device::flex();
        let values: Vec<f32> = (0..PIECE + 5).map(|value| value as f32).collect();
        let matrix = Tensor::<1>::from_floats(&values[..6], &device).reshape([2, 3]);
        let long = Tensor::<1>::from_floats(values.as_slice(), &device);
        let shape = vec![values.len()];
        let tensors = [
            NamedTensor::vector("b".into(), long, shape.clone()),
            NamedTensor::transposed("a.weight".into(), matrix),
        ];
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.safetensors");
        write_tensors(&path, &tensors).unwrap();

        let transposed = [0.0f32, 3.0, 1.0, 4.0, 2.0, 5.0];
        let view = |shape, values| {
            TensorView::new(Dtype::F32, shape, bytemuck::cast_slice(values)).unwrap()
        };
        let views = [
            ("a.weight", view(vec![3, 2], &transposed)),
            ("b", view(shape, &values)),
        ];
        let format = HashMap::from([("format".to_string(), "pt".to_string())]);
        let expected = safetensors::serialize(views, Some(format)).unwrap();
        assert!(std::fs::read(&path).unwrap() == expected);
    }
}
