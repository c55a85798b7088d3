//! NVIDIA's GPUs.

use burn::tensor::Device;
use finetune_kernels::devices::cuda::{self, CudaGpu};

use super::{DeviceError, MatrixUnits, libdevice, opening};

/// The oldest CUDA version whose driver the runtime's bindings know.
const OLDEST_DRIVER: (i32, i32) = (11, 4);

/// The driver's library.
const LIBRARY: &str = match cfg!(windows) {
    true => "nvcuda.dll",
    false => "libcuda.so.1",
};

/// Memory that a small model needs, with what the runtime itself takes.
const LEAST_FREE_BYTES: usize = 256 << 20;

/// Opens the GPU with this number.
pub(super) fn open(name: &str, index: usize) -> Result<Device, DeviceError> {
    gpu(name, index)?;
    opening::opened(name, || {
        let device = Device::cuda(index);
        // Opens it, which is else done by the first operation.
        device.identity();
        device
    })
}

/// Checks everything that the runtime needs, and returns what the driver says of the GPU with this number.
pub(super) fn gpu(name: &str, index: usize) -> Result<CudaGpu, DeviceError> {
    let count = driver(name).map(|(_, count)| count)?;
    if index >= count {
        let found = match count {
            0 => "this machine has no CUDA device".into(),
            1 => "this machine has 1 CUDA device, cuda:0".into(),
            count => format!("this machine has {count} CUDA devices, numbered from 0"),
        };
        let name = name.into();
        return Err(DeviceError::Absent { name, found });
    }
    libdevice::find().map_err(|looked| DeviceError::NoToolkit {
        name: name.into(),
        looked,
    })?;
    let gpu = cuda::gpu(index).map_err(|problem| DeviceError::Driver {
        name: name.into(),
        problem,
    })?;
    match gpu.free_memory < LEAST_FREE_BYTES {
        true => Err(DeviceError::Full {
            name: name.into(),
            free_megabytes: gpu.free_memory / 1_000_000,
            total_megabytes: gpu.total_memory / 1_000_000,
        }),
        false => Ok(gpu),
    }
}

/// Checks the driver, and returns its newest CUDA version and the number of GPUs.
pub(super) fn driver(name: &str) -> Result<((i32, i32), usize), DeviceError> {
    if !cuda::has_driver() {
        return Err(DeviceError::NoDriver {
            name: name.into(),
            library: LIBRARY,
        });
    }
    let fails = |problem| DeviceError::Driver {
        name: name.into(),
        problem,
    };
    let found = cuda::driver_version().map_err(fails)?;
    if found < OLDEST_DRIVER {
        return Err(DeviceError::OldDriver {
            name: name.into(),
            found,
            needed: OLDEST_DRIVER,
        });
    }
    Ok((found, cuda::count().map_err(fails)?))
}

/// Tensor cores multiply bf16 and TF32 since compute capability 8.0.
pub(super) fn matrix_units(gpu: &CudaGpu) -> MatrixUnits {
    let are_there = gpu.compute_capability >= (8, 0);
    MatrixUnits {
        bf16: are_there,
        tf32: are_there,
    }
}
