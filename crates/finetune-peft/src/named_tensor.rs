//! Writes tensors to safetensors files in the layout of the Python tools.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use burn::Tensor;
use finetune_kernels::{transpose, values_of};
use safetensors::{
    Dtype,
    tensor::{Metadata, TensorInfo},
};

/// A tensor with its name and layout in files. It shares its values with the model; they are fetched
/// from the device when they are written.
#[derive(Clone, Debug)]
pub struct NamedTensor {
    /// Name in the file.
    pub name: String,
    /// Shape in the file. Linear weights are `[out, in]` in files and `[in, out]` in the model.
    pub shape: Vec<usize>,
    /// Whether the file has the transpose of the model's tensor.
    pub transposed: bool,
    /// The values in the model's layout, flat and without autodiff.
    pub tensor: Tensor<1>,
}

impl NamedTensor {
    /// Creates the tensor of a linear weight, `[in, out]`, which is `[out, in]` in the file.
    pub fn transposed(name: String, tensor: Tensor<2>) -> Self {
        let [rows, columns] = tensor.dims();
        Self {
            name,
            shape: vec![columns, rows],
            transposed: true,
            tensor: tensor.inner().reshape([rows * columns]),
        }
    }

    /// Creates the tensor of a vector, which has this shape in the file.
    pub fn vector(name: String, tensor: Tensor<1>, shape: Vec<usize>) -> Self {
        Self {
            name,
            shape,
            transposed: false,
            tensor: tensor.inner(),
        }
    }

    /// Returns the values in the file's layout, row-major.
    pub fn values(&self) -> Vec<f32> {
        let values = values_of(self.tensor.clone());
        match self.shape[..] {
            [out, input] if self.transposed => transpose(&values, input, out),
            _ => values,
        }
    }
}

impl NamedTensor {
    fn num_elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Writes the values in the file's layout. They are fetched in pieces, so that a large table is
    /// never in memory twice.
    fn write(self, out: &mut dyn Write) -> io::Result<()> {
        const PIECE: usize = 1 << 18;
        if let [rows, columns] = self.shape[..]
            && self.transposed
        {
            let matrix = self.tensor.reshape([columns, rows]);
            let count = (PIECE / columns.max(1)).max(1);
            return (0..rows).step_by(count).try_for_each(|first| {
                let count = count.min(rows - first);
                let piece = values_of(matrix.clone().narrow(1, first, count));
                write_f32(out, &transpose(&piece, columns, count))
            });
        }
        let length = self.num_elements();
        (0..length).step_by(PIECE).try_for_each(|start| {
            let piece = self.tensor.clone();
            let piece = piece.narrow(0, start, PIECE.min(length - start));
            write_f32(out, &values_of(piece))
        })
    }
}

fn write_f32(out: &mut dyn Write, values: &[f32]) -> io::Result<()> {
    match cfg!(target_endian = "little") {
        true => out.write_all(bytemuck::cast_slice(values)),
        false => values
            .iter()
            .try_for_each(|value| out.write_all(&value.to_le_bytes())),
    }
}

/// Returns the size in bytes of the safetensors file of these tensors, without its header.
pub fn data_bytes(tensors: &[NamedTensor]) -> u64 {
    let elements = tensors.iter().map(NamedTensor::num_elements);
    (elements.sum::<usize>() * size_of::<f32>()) as u64
}

/// Writes a safetensors file in f32, as the Python tools do. Tensors are fetched from the device and
/// dropped one at a time.
///
/// # Errors
/// Fails if writing to `out` fails.
pub fn stream_tensors(mut tensors: Vec<NamedTensor>, out: &mut dyn Write) -> io::Result<()> {
    tensors.sort_by(|left, right| left.name.cmp(&right.name));
    let mut offset = 0;
    let infos = tensors.iter().map(|tensor| {
        let start = offset;
        offset += tensor.num_elements() * size_of::<f32>();
        let info = TensorInfo {
            dtype: Dtype::F32,
            shape: tensor.shape.clone(),
            data_offsets: (start, offset),
        };
        (tensor.name.clone(), info)
    });
    let format = HashMap::from([("format".to_string(), "pt".to_string())]);
    let header = Metadata::new(Some(format), infos.collect())
        .map_err(|error| io::Error::other(error.to_string()))?;
    let mut header = serde_json::to_vec(&header)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    tensors.into_iter().try_for_each(|tensor| tensor.write(out))
}

/// [`stream_tensors`] to a file.
///
/// # Errors
/// Fails if the file cannot be written.
pub fn write_tensors(path: &Path, tensors: Vec<NamedTensor>) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    stream_tensors(tensors, &mut out)?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    /// The expected bytes come from the `safetensors` crate.
    #[test]
    fn the_file_is_what_safetensors_writes() {
        let device = Device::flex();
        let values: Vec<f32> = (0..6).map(|value| value as f32 / 3.0).collect();
        let tensor = |name: &str, shape: Vec<usize>, transposed| NamedTensor {
            name: name.into(),
            shape,
            transposed,
            tensor: Tensor::from_floats(values.as_slice(), &device),
        };
        let tensors = vec![
            tensor("z", vec![6], false),
            tensor("a.weight", vec![2, 3], true),
        ];
        let flipped = [
            values[0], values[2], values[4], values[1], values[3], values[5],
        ];
        let view = |shape: Vec<usize>, values: &'static [u8]| {
            safetensors::tensor::TensorView::new(Dtype::F32, shape, values).unwrap()
        };
        let leak = |values: &[f32]| -> &'static [u8] {
            Box::leak(bytemuck::cast_slice(values).to_vec().into_boxed_slice())
        };
        let expected = safetensors::serialize(
            [
                ("z", view(vec![6], leak(&values))),
                ("a.weight", view(vec![2, 3], leak(&flipped))),
            ],
            Some(HashMap::from([("format".to_string(), "pt".to_string())])),
        )
        .unwrap();
        let mut written = Vec::new();
        assert_eq!(data_bytes(&tensors), 48);
        stream_tensors(tensors, &mut written).unwrap();
        assert_eq!(written, expected);
    }
}
