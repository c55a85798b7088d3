//! Why a device cannot be used.

use std::path::PathBuf;

use finetune_files::ErrorKind;

/// Why a device cannot be used, with what would help.
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
    #[error("device \"{name}\": {found}; use --device cpu, or see `finetune devices`")]
    Absent {
        /// The name asked for.
        name: String,
        /// The devices that the machine has.
        found: String,
    },
    /// The library of NVIDIA's driver is not there.
    #[error(
        "device \"{name}\": the library of NVIDIA's driver ({library}) was not found; install the driver, or use --device cpu"
    )]
    NoDriver {
        /// The name asked for.
        name: String,
        /// The library's file name.
        library: &'static str,
    },
    /// NVIDIA's driver is older than the runtime needs.
    #[error(
        "device \"{name}\": NVIDIA's driver is for CUDA {}.{}, and {}.{} or newer is needed; update the driver, or use --device cpu",
        found.0, found.1, needed.0, needed.1
    )]
    OldDriver {
        /// The name asked for.
        name: String,
        /// The newest CUDA version of the driver, major and minor.
        found: (i32, i32),
        /// The oldest version that is enough.
        needed: (i32, i32),
    },
    /// NVIDIA's driver fails.
    #[error(
        "device \"{name}\": NVIDIA's driver reports: {problem}; check it with `nvidia-smi`, or use --device cpu"
    )]
    Driver {
        /// The name asked for.
        name: String,
        /// The driver's message.
        problem: String,
    },
    /// A file of NVIDIA's toolkit that kernels are compiled with is not there.
    #[error(
        "device \"{name}\": libdevice.10.bc of NVIDIA's CUDA toolkit was not found, looked for at: {}; install the toolkit, set CUDA_PATH to its folder, or use --device cpu",
        list(looked)
    )]
    NoToolkit {
        /// The name asked for.
        name: String,
        /// Where it was looked for.
        looked: Vec<PathBuf>,
    },
    /// Other processes use the GPU's memory.
    #[error(
        "device \"{name}\": of {total_megabytes} MB of the GPU's memory only {free_megabytes} MB are free; end the programs that use it (`nvidia-smi` lists them), choose another GPU, or use --device cpu"
    )]
    Full {
        /// The name asked for.
        name: String,
        /// Free memory in MB.
        free_megabytes: usize,
        /// All memory in MB.
        total_megabytes: usize,
    },
    /// The runtime cannot open the device.
    #[error("device \"{name}\" cannot be opened: {problem}; check its driver, or use --device cpu")]
    NotOpened {
        /// The name asked for.
        name: String,
        /// The runtime's message.
        problem: String,
    },
    /// The device does not compute in this precision.
    #[error(
        "precision {precision} needs the tensor cores of a GPU, which device \"{name}\" lacks; use --precision f32, bf16 or auto"
    )]
    Precision {
        /// The name of the device.
        name: String,
        /// The precision asked for.
        precision: &'static str,
    },
}

impl DeviceError {
    /// Returns the kind of error: mostly input, because another `--device` works.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unknown { .. }
            | Self::NotBuilt { .. }
            | Self::Absent { .. }
            | Self::NoDriver { .. }
            | Self::OldDriver { .. }
            | Self::NoToolkit { .. }
            | Self::Precision { .. } => ErrorKind::Input,
            Self::Driver { .. } | Self::Full { .. } | Self::NotOpened { .. } => {
                ErrorKind::Environment
            }
        }
    }
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    paths.join(", ")
}
