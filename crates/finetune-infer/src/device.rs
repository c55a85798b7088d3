//! Turns the name given to `--device` into a Burn device.

use burn::tensor::Device;
use finetune_files::ErrorKind;

/// Why a device cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No device has this name.
    #[error("unknown device \"{name}\"; expected one of: {valid}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The valid names.
        valid: String,
    },
    /// The device's backend is not compiled in.
    #[error(
        "device \"{name}\" is not in this build; rebuild with `cargo build --release -p finetune --features {feature}`, or use --device cpu"
    )]
    NotBuilt {
        /// The name asked for.
        name: String,
        /// The Cargo feature that enables it.
        feature: &'static str,
    },
    /// The machine has no such device.
    #[error("device \"{name}\": {found}; use --device cpu, or check the driver")]
    Absent {
        /// The name asked for.
        name: String,
        /// The devices that the machine has.
        found: String,
    },
}

impl DeviceError {
    /// Returns the kind of error: always input, because another `--device` works.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unknown { .. } | Self::NotBuilt { .. } | Self::Absent { .. } => ErrorKind::Input,
        }
    }
}

/// Names that [`device`] accepts.
pub const DEVICE_NAMES: &str = "auto, cpu (the same as flex), ndarray, cuda, cuda:N (the N-th \
     GPU, from 0), wgpu, wgpu:N (the N-th adapter of Vulkan, Metal or DirectX 12, from 0)";

/// Returns the device called `name`, without autodiff. `auto` is an NVIDIA GPU if the build supports it
/// and the machine has one, and the CPU otherwise. `wgpu` is the adapter that wgpu takes for the best.
///
/// # Errors
/// Fails if no device has this name, or if the build or the machine lacks it.
pub fn device(name: &str) -> Result<Device, DeviceError> {
    match name {
        "auto" => device(&resolve_auto(name)),
        "cpu" | "flex" => flex(name),
        "ndarray" => ndarray(name),
        "cuda" => cuda(name, 0),
        "wgpu" => wgpu(name, None),
        _ => match name
            .split_once(':')
            .map(|(kind, index)| (kind, index.parse()))
        {
            Some(("cuda", Ok(index))) => cuda(name, index),
            Some(("wgpu", Ok(index))) => wgpu(name, Some(index)),
            _ => Err(DeviceError::Unknown {
                name: name.into(),
                valid: DEVICE_NAMES.into(),
            }),
        },
    }
}

/// Resolves `auto` for this build and machine; returns any other name unchanged.
pub fn resolve_auto(name: &str) -> String {
    match name {
        "auto" if cuda(name, 0).is_ok() => "cuda:0".into(),
        "auto" => "cpu".into(),
        _ => name.into(),
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
    use burn::tensor::DeviceType;
    // The driver's library may be absent altogether, which the runtime reports by unwinding.
    let found = std::panic::catch_unwind(|| Device::enumerate(DeviceType::Cuda).len()).unwrap_or(0);
    if index < found {
        return Ok(Device::cuda(index));
    }
    let found = match found {
        0 => "this machine has no CUDA device".to_string(),
        count => format!("this machine has {count} CUDA device(s), numbered from 0"),
    };
    Err(DeviceError::Absent {
        name: name.into(),
        found,
    })
}

#[cfg(not(feature = "cuda"))]
fn cuda(name: &str, _index: usize) -> Result<Device, DeviceError> {
    not_built(name, "cuda")
}

#[cfg(feature = "wgpu")]
fn wgpu(name: &str, index: Option<usize>) -> Result<Device, DeviceError> {
    use burn::tensor::{DeviceKind, DeviceType};
    let found = std::panic::catch_unwind(|| Device::enumerate(DeviceType::Wgpu).into_vec());
    let found = found.unwrap_or_default();
    let count = found.len();
    match (index, count) {
        (_, 0) => Err("this machine has no GPU that wgpu can use".to_string()),
        (None, _) => Ok(Device::wgpu(DeviceKind::DefaultDevice)),
        (Some(index), _) => found.into_iter().nth(index).ok_or_else(|| {
            format!("this machine has {count} adapter(s) that wgpu can use, numbered from 0")
        }),
    }
    .map_err(|found| DeviceError::Absent {
        name: name.into(),
        found,
    })
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
