//! Adapters of Vulkan, Metal and DirectX 12.

use burn::tensor::{Device, DeviceKind, DeviceType};
use finetune_kernels::devices::wgpu::{self, WgpuAdapter};

use super::{DeviceError, MatrixUnits, opening};

/// Opens the adapter with this number; `None` is the one that wgpu takes for the best.
pub(super) fn open(name: &str, index: Option<usize>) -> Result<Device, DeviceError> {
    adapter(name, index)?;
    match index {
        None => Ok(Device::wgpu(DeviceKind::DefaultDevice)),
        Some(index) => {
            let adapters = opening::opened(name, || Device::enumerate(DeviceType::Wgpu))?;
            let chosen = adapters.into_vec().into_iter().nth(index);
            chosen.ok_or_else(|| absent(name, index))
        }
    }
}

/// Opens the adapter with this number and returns what its driver says of it.
pub(super) fn adapter(name: &str, index: Option<usize>) -> Result<WgpuAdapter, DeviceError> {
    let adapter = opening::opened(name, || wgpu::adapter(index))?;
    adapter.ok_or_else(|| absent(name, index.unwrap_or(0)))
}

pub(super) fn matrix_units(adapter: &WgpuAdapter) -> MatrixUnits {
    MatrixUnits {
        bf16: adapter.has_bf16,
        tf32: adapter.has_tf32,
    }
}

fn absent(name: &str, index: usize) -> DeviceError {
    let found = match index {
        0 => "this machine has no GPU that wgpu can use".into(),
        index => format!(
            "this machine has fewer than {} adapters that wgpu can use",
            index + 1
        ),
    };
    DeviceError::Absent {
        name: name.into(),
        found,
    }
}
