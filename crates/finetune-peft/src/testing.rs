//! Small tensors for this crate's tests.

use burn::{
    Tensor,
    module::Param,
    tensor::{Device, TensorData},
};

/// Returns a parameter with these rows.
pub(crate) fn matrix<const R: usize, const C: usize>(rows: [[f32; C]; R]) -> Param<Tensor<2>> {
    let values: Vec<f32> = rows.into_iter().flatten().collect();
    let data = TensorData::new(values, [R, C]);
    Param::from_tensor(Tensor::from_data(data, &Device::flex()))
}

/// Returns a parameter with these values.
pub(crate) fn vector<const N: usize>(values: [f32; N]) -> Param<Tensor<1>> {
    let data = TensorData::new(values.to_vec(), [N]);
    Param::from_tensor(Tensor::from_data(data, &Device::flex()))
}

/// Returns a tensor's values, row-major.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}
