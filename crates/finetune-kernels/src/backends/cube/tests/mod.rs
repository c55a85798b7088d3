//! Compares the kernels with the CPU's operations, values and gradients, on CUDA's first GPU or else on the
//! first adapter that wgpu finds (a software driver such as llvmpipe will do).

use std::sync::LazyLock;

use burn::{
    backend::{
        Autodiff, AutodiffBackend, Cube, Flex,
        tensor::{Device, FloatTensor},
    },
    tensor::TensorData,
};
use burn_cubecl::CubeDevice;

use crate::{Dropout, DropoutSource, Site, Stream, devices, random};

/// The shape and values of an input, and whether it requires a gradient.
type Input = (Vec<usize>, Vec<f32>, bool);

/// The GPU, if there is one.
static GPU: LazyLock<Option<CubeDevice>> = LazyLock::new(|| {
    let device = device();
    match &device {
        Some(device) => {
            let client = device.client();
            println!(
                "GPU: {}, {}",
                client.properties().identity.name,
                client.name()
            );
        }
        None => println!(
            "skipped: no GPU that this build can use (for wgpu a software driver would do: mesa-vulkan-drivers)"
        ),
    }
    device
});

fn device() -> Option<CubeDevice> {
    #[cfg(feature = "cuda")]
    if devices::cuda::has_driver() && devices::cuda::count().is_ok_and(|count| count > 0) {
        return Some(CubeDevice::Cuda(Default::default()));
    }
    #[cfg(feature = "wgpu")]
    if devices::wgpu::adapter(None).is_some() {
        return Some(CubeDevice::Wgpu(Default::default()));
    }
    None
}

/// Returns the result of `run` and the gradients of the inputs for a random gradient of the result.
fn results<B: AutodiffBackend>(
    device: &Device<B>,
    inputs: &[Input],
    run: impl Fn(Vec<FloatTensor<B>>) -> FloatTensor<B>,
) -> Vec<Option<Vec<f32>>> {
    let tensors: Vec<_> = inputs
        .iter()
        .map(|(shape, values, tracked)| {
            let data = TensorData::new(values.clone(), shape.clone());
            B::float_set_require_grad(B::float_from_data(data, device), *tracked)
        })
        .collect();
    let result = run(tensors.clone());
    let found = values::<B::InnerBackend>(B::inner(result.clone()));
    let weights = TensorData::new(
        random::normal(8, Stream(0), found.len(), 1.0),
        [found.len()],
    );
    let flat = B::float_reshape(result, [found.len()].into());
    let loss = B::float_sum(B::float_mul(flat, B::float_from_data(weights, device)));
    let mut all = vec![Some(found)];
    if inputs.iter().any(|(_, _, tracked)| *tracked) {
        let gradients = B::backward(loss);
        let gradient = |tensor| B::grad(tensor, &gradients).map(values::<B::InnerBackend>);
        all.extend(tensors.iter().map(gradient));
    }
    all
}

fn values<B: burn::backend::Backend>(tensor: FloatTensor<B>) -> Vec<f32> {
    let data = burn::backend::read_sync(B::float_into_data(tensor)).unwrap();
    data.iter::<f32>().collect()
}

/// Inputs of these shapes with values of their own; input `i` requires a gradient if bit `i` of `tracked` is
/// set.
fn inputs(shapes: &[&[usize]], tracked: u32) -> Vec<Input> {
    let of = |index: u32, shape: &[usize]| {
        let values = random::normal(7, Stream(index), shape.iter().product(), 1.0);
        (shape.to_vec(), values, tracked >> index & 1 == 1)
    };
    (0..)
        .zip(shapes)
        .map(|(index, shape)| of(index, shape))
        .collect()
}

/// Asserts that results are there on both sides or on neither, and differ by no more than `tolerance`,
/// relative to the largest value of each.
fn agree(found: &[Option<Vec<f32>>], expected: &[Option<Vec<f32>>], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(found.is_some(), expected.is_some(), "gradient {index}");
        let (Some(found), Some(expected)) = (found, expected) else {
            continue;
        };
        assert_eq!(found.len(), expected.len());
        let largest = expected.iter().fold(1.0f32, |all, v| all.max(v.abs()));
        for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!(
                (found - expected).abs() <= tolerance * largest,
                "result {index}, element {place}: {found} instead of {expected}"
            );
        }
    }
}

/// Asserts that an expression of `B`, an autodiff backend, and of `tensors` has the same result and gradients on
/// the GPU as on the CPU.
macro_rules! assert_agrees {
    ($inputs:expr, $tensors:ident => $run:expr) => {
        assert_agrees!($inputs, 1e-5, $tensors => $run)
    };
    ($inputs:expr, $tolerance:expr, $tensors:ident => $run:expr) => {{
        let inputs: Vec<Input> = $inputs;
        if let Some(gpu) = &*GPU {
            let expected = {
                type B = Autodiff<Flex>;
                results::<B>(&Default::default(), &inputs, |$tensors: Vec<FloatTensor<B>>| $run)
            };
            let found = {
                type B = Autodiff<Cube>;
                results::<B>(gpu, &inputs, |$tensors: Vec<FloatTensor<B>>| $run)
            };
            agree(&found, &expected, $tolerance);
        }
    }};
}

mod attention;
mod embedding;
mod matmul;
mod norms;
mod optimizer;
mod pooling;

fn drawn(dropped: bool) -> Dropout {
    match dropped {
        true => DropoutSource::at(3, 4).site(Site(5), 0.3),
        false => Dropout::NONE,
    }
}

fn take<T, const N: usize>(tensors: Vec<T>) -> [T; N] {
    tensors.try_into().ok().unwrap()
}
