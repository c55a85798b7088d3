//! Initial values of adapters.

use burn::tensor::{Device, TensorData};
use burn::{Tensor, module::Param};
use finetune_kernels::random;
use nalgebra::DMatrix;

/// A tensor of these values.
pub(crate) fn tensor<const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// `lora_A` as peft draws it: `kaiming_uniform_(a=√5)`, which is uniform within `±1/√in`.
pub(crate) fn kaiming_uniform(
    seed: u64,
    stream: u32,
    [inputs, rank]: [usize; 2],
    device: &Device,
) -> Param<Tensor<2>> {
    let bound = 1.0 / (inputs as f64).sqrt();
    let values = random::uniform(seed, stream, inputs * rank, -bound, bound);
    Param::from_tensor(tensor(values, [inputs, rank], device))
}

/// `lora_A` with `init_lora_weights="gaussian"`: normal with standard deviation `1/r`.
pub(crate) fn gaussian(
    seed: u64,
    stream: u32,
    [inputs, rank]: [usize; 2],
    device: &Device,
) -> Param<Tensor<2>> {
    let values = random::normal(seed, stream, inputs * rank, 1.0 / rank as f64);
    Param::from_tensor(tensor(values, [inputs, rank], device))
}

/// Zeros.
pub(crate) fn zeros(shape: [usize; 2], device: &Device) -> Param<Tensor<2>> {
    Param::from_tensor(Tensor::zeros(shape, device))
}

/// PiSSA (Meng et al. 2024): `a` and `b` with `scaling · a · b` the best approximation of `weight`
/// (`[in, out]`) of rank `rank`: the largest singular values, their roots on both sides.
///
/// The singular vectors come from the eigenvectors of the smaller Gram matrix, in f64: its squared
/// condition costs nothing on f32 weights' largest values.
pub(crate) fn pissa(
    weight: &Tensor<2>,
    rank: usize,
    scaling: f64,
    device: &Device,
) -> (Param<Tensor<2>>, Param<Tensor<2>>) {
    let [inputs, outputs] = weight.dims();
    let values = weight.clone().inner().into_data();
    let values = values.iter::<f32>().map(f64::from);
    let matrix = DMatrix::from_row_iterator(inputs, outputs, values);
    let tall = inputs > outputs;
    let gram = match tall {
        true => matrix.transpose() * &matrix,
        false => &matrix * matrix.transpose(),
    };
    let eigen = gram.symmetric_eigen();
    let mut order: Vec<usize> = (0..eigen.eigenvalues.len()).collect();
    order.sort_by(|&x, &y| eigen.eigenvalues[y].total_cmp(&eigen.eigenvalues[x]));
    let (mut a, mut b) = (vec![0.0; inputs * rank], vec![0.0; rank * outputs]);
    for (k, &index) in order.iter().take(rank).enumerate() {
        let singular = eigen.eigenvalues[index].max(0.0).sqrt();
        let vector = eigen.eigenvectors.column(index);
        // u = W·v/σ or v = Wᵀ·u/σ; both are then scaled by √(σ / scaling).
        let root = (singular / scaling).sqrt();
        let other = match tall {
            true => &matrix * vector,
            false => matrix.tr_mul(&vector),
        };
        let other = other * (root / singular.max(f64::MIN_POSITIVE));
        let own = vector * root;
        let (left, right) = if tall { (other, own) } else { (own, other) };
        for (row, &value) in left.iter().enumerate() {
            a[row * rank + k] = value as f32;
        }
        for (column, &value) in right.iter().enumerate() {
            b[k * outputs + column] = value as f32;
        }
    }
    (
        Param::from_tensor(tensor(a, [inputs, rank], device)),
        Param::from_tensor(tensor(b, [rank, outputs], device)),
    )
}
