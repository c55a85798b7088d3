//! Encodes values as TensorBoard's tensors, like its `tensor_util.make_tensor_proto`.

use crate::proto::value::Data;
use crate::proto::{DataType, Dim, Tensor, TensorShape};

fn tensor(dtype: DataType, shape: &[usize]) -> Tensor {
    let dim = shape.iter().map(|&size| Dim { size: size as i64 });
    Tensor {
        dtype: dtype.into(),
        tensor_shape: Some(TensorShape { dim: dim.collect() }),
        ..Tensor::default()
    }
}

pub fn text(value: &str) -> Tensor {
    Tensor {
        string_val: vec![value.as_bytes().to_vec()],
        ..tensor(DataType::String, &[])
    }
}

/// Encodes `[rows, COLUMNS]` of f64.
pub fn matrix_f64<const COLUMNS: usize>(rows: &[[f64; COLUMNS]]) -> Tensor {
    Tensor {
        tensor_content: rows
            .iter()
            .flatten()
            .flat_map(|v| v.to_le_bytes())
            .collect(),
        ..tensor(DataType::Double, &[rows.len(), COLUMNS])
    }
}

/// Encodes `[ROWS, columns]` of f32; all rows have the length of the first.
pub fn matrix_f32<const ROWS: usize>(rows: &[Vec<f32>; ROWS]) -> Tensor {
    Tensor {
        tensor_content: rows
            .iter()
            .flatten()
            .flat_map(|v| v.to_le_bytes())
            .collect(),
        ..tensor(DataType::Float, &[ROWS, rows.first().map_or(0, Vec::len)])
    }
}

/// Returns the tensor of summaries whose whole content is their metadata.
pub fn null() -> Tensor {
    tensor(DataType::Float, &[0])
}

/// Returns the value of a scalar summary: the old form, or a float tensor without dimensions in either
/// of its encodings. `None` for other data.
pub fn scalar_of(data: Data) -> Option<f32> {
    let tensor = match data {
        Data::SimpleValue(value) => return Some(value),
        Data::Tensor(tensor) => tensor,
    };
    if tensor
        .tensor_shape
        .is_some_and(|shape| !shape.dim.is_empty())
    {
        return None;
    }
    let content = tensor.tensor_content.as_slice();
    match DataType::try_from(tensor.dtype).ok()? {
        DataType::Float => match content.try_into() {
            Ok(bytes) => Some(f32::from_le_bytes(bytes)),
            Err(_) => tensor.float_val.first().copied(),
        },
        DataType::Double => match content.try_into() {
            Ok(bytes) => Some(f64::from_le_bytes(bytes) as f32),
            Err(_) => tensor.double_val.first().map(|&v| v as f32),
        },
        DataType::Invalid | DataType::String => None,
    }
}
