//! What NVIDIA's driver says, asked without opening a device of the runtime, which reports what is missing by
//! panics in threads of its own.

use std::sync::{Arc, Mutex};

use cudarc::driver::{CudaContext, DriverError, result, sys};

/// An NVIDIA GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CudaGpu {
    /// The model's name.
    pub name: String,
    /// Compute capability, major and minor: 9 and 0 of an H100.
    pub compute_capability: (i32, i32),
    /// Memory in bytes.
    pub total_memory: usize,
    /// Memory that no process uses, in bytes.
    pub free_memory: usize,
}

/// Returns whether the driver's library (`libcuda.so.1`, `nvcuda.dll`) can be loaded.
pub fn has_driver() -> bool {
    // SAFETY: loading the driver's library runs its initializers, which have no requirements.
    unsafe { sys::is_culib_present() }
}

/// Returns the newest CUDA version of the driver, major and minor.
///
/// # Errors
/// Fails with the driver's message.
///
/// # Panics
/// Panics if [`has_driver`] is false.
pub fn driver_version() -> Result<(i32, i32), String> {
    let mut version = 0;
    // SAFETY: the pointer is valid for the write.
    let status = unsafe { sys::cuDriverGetVersion(&mut version) };
    status.result().map_err(|error| message(&error))?;
    Ok((version / 1000, version % 1000 / 10))
}

/// Returns the number of GPUs that the driver offers to this process; `CUDA_VISIBLE_DEVICES` may hide some.
///
/// # Errors
/// Fails with the driver's message.
///
/// # Panics
/// Panics if [`has_driver`] is false.
pub fn count() -> Result<usize, String> {
    match CudaContext::device_count() {
        Ok(count) => Ok(usize::try_from(count).unwrap_or(0)),
        Err(error) if error.0 == sys::CUresult::CUDA_ERROR_NO_DEVICE => Ok(0),
        Err(error) => Err(message(&error)),
    }
}

/// Returns what the driver says of the GPU with this number, from 0. It is opened, and stays open until the
/// process ends, since the runtime uses the same context.
///
/// # Errors
/// Fails with the driver's message, such as `out of memory` if other processes have left none.
///
/// # Panics
/// Panics if [`has_driver`] is false.
pub fn gpu(index: usize) -> Result<CudaGpu, String> {
    static OPEN: Mutex<Vec<Arc<CudaContext>>> = Mutex::new(Vec::new());
    let facts = || {
        result::init()?;
        let context = CudaContext::new(index)?;
        if let Ok(mut open) = OPEN.lock() {
            open.push(Arc::clone(&context));
        }
        let (free_memory, total_memory) = context.mem_get_info()?;
        Ok(CudaGpu {
            name: context.name()?,
            compute_capability: context.compute_capability()?,
            total_memory,
            free_memory,
        })
    };
    facts().map_err(|error| message(&error))
}

fn message(error: &DriverError) -> String {
    let text = |text: Result<&std::ffi::CStr, DriverError>| {
        text.map(|text| text.to_string_lossy().into_owned()).ok()
    };
    match (text(error.error_name()), text(error.error_string())) {
        (Some(name), Some(words)) => format!("{words} ({name})"),
        _ => format!("{error:?}"),
    }
}
