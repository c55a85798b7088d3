//! The devices of this build and machine, and what is missing.

use finetune_kernels::Precision;
use serde::Serialize;

use super::{Cpu, MatrixUnits, matrix_units, resolve_auto};
use crate::{PrecisionChoice, precision};

/// What there is to compute on.
#[derive(Clone, Debug, Serialize)]
pub struct Listing {
    /// The devices that can be used.
    pub devices: Vec<DeviceFacts>,
    /// Those that this build or this machine lacks.
    pub missing: Vec<MissingDevice>,
}

/// A device that can be used.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceFacts {
    /// Its name for `--device`.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Its memory in bytes, where the system or driver reports it.
    pub memory_bytes: Option<u64>,
    /// Memory that is not in use, in bytes, where the driver reports it.
    pub free_memory_bytes: Option<u64>,
    /// Its driver, or the instruction sets in use.
    pub driver: String,
    /// The precisions of matrix multiplications that it has.
    pub precisions: Vec<&'static str>,
    /// The one that `auto` takes.
    pub auto_precision: &'static str,
    /// Whether `--device auto` takes it.
    pub is_auto: bool,
    /// What else is to be known of it.
    pub note: String,
}

/// A device that cannot be used.
#[derive(Clone, Debug, Serialize)]
pub struct MissingDevice {
    /// Its name for `--device`.
    pub name: &'static str,
    /// Why it cannot be used, and what would help.
    pub reason: String,
}

impl DeviceFacts {
    fn new(name: String, units: MatrixUnits) -> Self {
        let mut precisions = vec![Precision::F32, Precision::Bf16];
        if units.tf32 {
            precisions.insert(1, Precision::Tf32);
        }
        Self {
            is_auto: name == resolve_auto("auto"),
            auto_precision: precision::name(PrecisionChoice::auto(&name)),
            precisions: precisions.into_iter().map(precision::name).collect(),
            name,
            description: String::new(),
            memory_bytes: None,
            free_memory_bytes: None,
            driver: String::new(),
            note: String::new(),
        }
    }
}

/// Finds the devices of this build and machine. GPUs are opened.
pub fn devices() -> Listing {
    let mut listing = Listing {
        devices: Vec::new(),
        missing: Vec::new(),
    };
    listing.add("cpu", cpu());
    listing.add("ndarray", ndarray());
    listing.add("cuda", cuda());
    listing.add("wgpu", wgpu());
    listing
}

impl Listing {
    fn add(&mut self, name: &'static str, found: Result<Vec<DeviceFacts>, String>) {
        match found {
            Ok(devices) => self.devices.extend(devices),
            Err(reason) => {
                // The line begins with the name.
                let of_error = format!("device \"{name}\": ");
                let reason = reason.trim_start_matches(&of_error).into();
                self.missing.push(MissingDevice { name, reason });
            }
        }
    }
}

#[cfg(feature = "flex")]
fn cpu() -> Result<Vec<DeviceFacts>, String> {
    let cpu = Cpu::here();
    let [plain, rounded] = [Precision::F32, Precision::Bf16].map(Precision::instruction_set);
    let mut note = format!("{} threads", cpu.threads);
    note += match Precision::bf16_is_fast() {
        true => "; bf16 is faster than f32",
        false => "; bf16 is no faster than f32",
    };
    if let Ok(limit) = std::env::var("FINETUNE_CPU") {
        note += &format!("; FINETUNE_CPU={limit}");
    }
    Ok(vec![DeviceFacts {
        description: cpu.name.unwrap_or_else(|| "the processor".into()),
        memory_bytes: cpu.memory,
        driver: match plain == rounded {
            true => plain.into(),
            false => format!("{plain}, {rounded}"),
        },
        note,
        ..DeviceFacts::new("cpu".into(), matrix_units("cpu"))
    }])
}

#[cfg(not(feature = "flex"))]
fn cpu() -> Result<Vec<DeviceFacts>, String> {
    Err(not_built("flex"))
}

#[cfg(feature = "ndarray")]
fn ndarray() -> Result<Vec<DeviceFacts>, String> {
    let cpu = Cpu::here();
    Ok(vec![DeviceFacts {
        description: cpu.name.unwrap_or_else(|| "the processor".into()),
        memory_bytes: cpu.memory,
        note: "Burn's older CPU backend, slower than cpu".into(),
        ..DeviceFacts::new("ndarray".into(), MatrixUnits::default())
    }])
}

#[cfg(not(feature = "ndarray"))]
fn ndarray() -> Result<Vec<DeviceFacts>, String> {
    Err(not_built("ndarray"))
}

#[cfg(feature = "cuda")]
fn cuda() -> Result<Vec<DeviceFacts>, String> {
    use super::cuda::{driver, gpu};
    let ((major, minor), count) = driver("cuda").map_err(|error| error.to_string())?;
    let each = (0..count.max(1)).map(|index| -> Result<DeviceFacts, String> {
        let name = format!("cuda:{index}");
        let gpu = gpu(&name, index).map_err(|error| error.to_string())?;
        let (of, part) = gpu.compute_capability;
        Ok(DeviceFacts {
            description: gpu.name.clone(),
            memory_bytes: u64::try_from(gpu.total_memory).ok(),
            free_memory_bytes: u64::try_from(gpu.free_memory).ok(),
            driver: format!("CUDA {major}.{minor}"),
            note: format!("compute capability {of}.{part}"),
            ..DeviceFacts::new(name, super::cuda::matrix_units(&gpu))
        })
    });
    // One that others fill does not hide the rest.
    let (found, failed): (Vec<_>, Vec<_>) = each.partition(Result::is_ok);
    match found.is_empty() {
        true => failed.into_iter().collect(),
        false => found.into_iter().collect(),
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Result<Vec<DeviceFacts>, String> {
    Err(not_built("cuda"))
}

#[cfg(feature = "wgpu")]
fn wgpu() -> Result<Vec<DeviceFacts>, String> {
    use super::wgpu::{adapter, matrix_units};
    let mut found = Vec::new();
    loop {
        let name = format!("wgpu:{}", found.len());
        let adapter = match adapter(&name, Some(found.len())) {
            Ok(adapter) => adapter,
            Err(super::DeviceError::Absent { .. }) if !found.is_empty() => return Ok(found),
            Err(super::DeviceError::Absent { .. }) => return Err(
                "no adapter was found; install a driver for Vulkan, such as the package mesa-vulkan-drivers".into(),
            ),
            Err(error) => return Err(error.to_string()),
        };
        found.push(DeviceFacts {
            description: adapter.name.clone(),
            memory_bytes: adapter.memory,
            driver: format!("wgpu, kernels in {}", adapter.language),
            note: match adapter.is_software {
                true => "a software rasterizer on the CPU, for tests only".into(),
                false => String::new(),
            },
            ..DeviceFacts::new(name, matrix_units(&adapter))
        });
    }
}

#[cfg(not(feature = "wgpu"))]
fn wgpu() -> Result<Vec<DeviceFacts>, String> {
    Err(not_built("wgpu"))
}

#[cfg(not(all(
    feature = "flex",
    feature = "ndarray",
    feature = "cuda",
    feature = "wgpu"
)))]
fn not_built(feature: &str) -> String {
    format!("not in this build; `cargo build --release -p finetune --features {feature}` brings it")
}
