//! Turns the name given to `--device` into a Burn device, and says which devices there are.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod error;
#[cfg(any(test, feature = "cuda"))]
mod libdevice;
mod listing;
mod opening;
#[cfg(feature = "wgpu")]
mod wgpu;

use burn::tensor::Device;

pub use cpu::Cpu;
pub use error::DeviceError;
pub use listing::{DeviceFacts, Listing, MissingDevice, devices};
pub use opening::panic_is_caught as device_panic_is_caught;

/// Names that [`device`] accepts.
pub const DEVICE_NAMES: &str = "auto, cpu (the same as flex), ndarray, cuda, cuda:N (the N-th \
     GPU, from 0), wgpu, wgpu:N (the N-th adapter of Vulkan, Metal or DirectX 12, from 0)";

/// Returns the device called `name`, without autodiff. `auto` is an NVIDIA GPU if the build supports it
/// and the machine has one that can be used, and the CPU otherwise. `wgpu` is the adapter that wgpu takes for the
/// best. A GPU is opened, so that what is wrong with it is known before anything is computed.
///
/// # Errors
/// Fails if no device has this name, if the build or the machine lacks it, or if it cannot be used; the message
/// says what would help.
pub fn device(name: &str) -> Result<Device, DeviceError> {
    match Kind::named(name)? {
        Kind::Flex => flex(name),
        Kind::Ndarray => ndarray(name),
        Kind::Cuda(index) => cuda(name, index),
        Kind::Wgpu(index) => wgpu(name, index),
    }
}

/// Resolves `auto` for this build and machine; returns any other name unchanged.
pub fn resolve_auto(name: &str) -> String {
    match name {
        "auto" if has_cuda() => "cuda:0".into(),
        "auto" => "cpu".into(),
        _ => name.into(),
    }
}

/// Returns why `auto` is not the NVIDIA GPU of this machine, if there is one that this build supports but cannot
/// use.
pub fn unusable_gpu() -> Option<DeviceError> {
    #[cfg(feature = "cuda")]
    return match cuda::gpu("cuda", 0) {
        Err(DeviceError::NoDriver { .. } | DeviceError::Absent { .. }) | Ok(_) => None,
        Err(error) => Some(error),
    };
    #[cfg(not(feature = "cuda"))]
    None
}

/// A kind of device, with the number of one of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Flex,
    Ndarray,
    Cuda(usize),
    Wgpu(Option<usize>),
}

impl Kind {
    fn named(name: &str) -> Result<Self, DeviceError> {
        let resolved = resolve_auto(name);
        let (kind, number) = match resolved.split_once(':') {
            Some((kind, number)) => (kind, Some(number.parse())),
            None => (resolved.as_str(), None),
        };
        match (kind, number) {
            ("cpu" | "flex", None) => Ok(Self::Flex),
            ("ndarray", None) => Ok(Self::Ndarray),
            ("cuda", None) => Ok(Self::Cuda(0)),
            ("cuda", Some(Ok(index))) => Ok(Self::Cuda(index)),
            ("wgpu", None) => Ok(Self::Wgpu(None)),
            ("wgpu", Some(Ok(index))) => Ok(Self::Wgpu(Some(index))),
            _ => Err(DeviceError::Unknown {
                name: name.into(),
                valid: DEVICE_NAMES.into(),
            }),
        }
    }
}

/// The reduced precisions in which a device multiplies matrices by units of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MatrixUnits {
    pub bf16: bool,
    pub tf32: bool,
}

/// Returns the matrix units of the device called `name`: of a processor those that make bf16 faster, of a device
/// that cannot be used none.
pub(crate) fn matrix_units(name: &str) -> MatrixUnits {
    match Kind::named(name) {
        Ok(Kind::Flex) => MatrixUnits {
            bf16: finetune_kernels::Precision::bf16_is_fast(),
            tf32: false,
        },
        #[cfg(feature = "cuda")]
        Ok(Kind::Cuda(index)) => cuda::gpu(name, index)
            .map(|gpu| cuda::matrix_units(&gpu))
            .unwrap_or_default(),
        #[cfg(feature = "wgpu")]
        Ok(Kind::Wgpu(index)) => wgpu::adapter(name, index)
            .map(|adapter| wgpu::matrix_units(&adapter))
            .unwrap_or_default(),
        _ => MatrixUnits::default(),
    }
}

#[cfg(feature = "flex")]
fn flex(_name: &str) -> Result<Device, DeviceError> {
    Ok(Device::flex())
}

#[cfg(not(feature = "flex"))]
fn flex(name: &str) -> Result<Device, DeviceError> {
    not_built(name, "flex")
}

#[cfg(feature = "ndarray")]
#[allow(deprecated)] // Burn prefers flex, as we do; ndarray stays as the second CPU backend.
fn ndarray(_name: &str) -> Result<Device, DeviceError> {
    Ok(Device::ndarray())
}

#[cfg(not(feature = "ndarray"))]
fn ndarray(name: &str) -> Result<Device, DeviceError> {
    not_built(name, "ndarray")
}

#[cfg(feature = "cuda")]
fn cuda(name: &str, index: usize) -> Result<Device, DeviceError> {
    cuda::open(name, index)
}

#[cfg(not(feature = "cuda"))]
fn cuda(name: &str, _index: usize) -> Result<Device, DeviceError> {
    not_built(name, "cuda")
}

fn has_cuda() -> bool {
    #[cfg(feature = "cuda")]
    return cuda::gpu("cuda", 0).is_ok();
    #[cfg(not(feature = "cuda"))]
    false
}

#[cfg(feature = "wgpu")]
fn wgpu(name: &str, index: Option<usize>) -> Result<Device, DeviceError> {
    wgpu::open(name, index)
}

#[cfg(not(feature = "wgpu"))]
fn wgpu(name: &str, _index: Option<usize>) -> Result<Device, DeviceError> {
    not_built(name, "wgpu")
}

#[cfg(not(all(
    feature = "flex",
    feature = "ndarray",
    feature = "cuda",
    feature = "wgpu"
)))]
fn not_built(name: &str, feature: &'static str) -> Result<Device, DeviceError> {
    Err(DeviceError::NotBuilt {
        name: name.into(),
        feature,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_devices() {
        for (name, expected) in [
            ("cpu", Some(Kind::Flex)),
            ("flex", Some(Kind::Flex)),
            ("ndarray", Some(Kind::Ndarray)),
            ("cuda", Some(Kind::Cuda(0))),
            ("cuda:7", Some(Kind::Cuda(7))),
            ("wgpu", Some(Kind::Wgpu(None))),
            ("wgpu:0", Some(Kind::Wgpu(Some(0)))),
            ("cuda:", None),
            ("cuda:-1", None),
            ("cpu:0", None),
            ("gpu", None),
        ] {
            assert_eq!(Kind::named(name).ok(), expected, "{name}");
        }
    }
}
