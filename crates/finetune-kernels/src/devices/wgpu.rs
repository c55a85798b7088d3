//! The adapters that wgpu reaches.

use burn_cubecl::{
    CubeDevice,
    cubecl::{
        RuntimeId,
        ir::{ElemType, FloatKind},
    },
};

/// An adapter of Vulkan, Metal or DirectX 12.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WgpuAdapter {
    /// The name that its driver gives it.
    pub name: String,
    /// The language that kernels are compiled to: `WGSL`, `SPIR-V` or `MSL`.
    pub language: &'static str,
    /// Memory in bytes, if the driver reports it.
    pub memory: Option<u64>,
    /// Whether it is a program on the CPU, such as llvmpipe.
    pub is_software: bool,
    /// Whether it multiplies matrices of bf16.
    pub has_bf16: bool,
    /// Whether it multiplies f32 matrices in TF32.
    pub has_tf32: bool,
}

/// Opens the adapter with this number, from 0; `None` is the one that wgpu takes for the best. Returns `None` if
/// there is no such adapter.
///
/// # Panics
/// Panics if the adapter cannot be opened, in this thread and in the runtime's own.
pub fn adapter(number: Option<usize>) -> Option<WgpuAdapter> {
    let mut adapters = CubeDevice::enumerate_all()
        .into_iter()
        .filter(|device| device.runtime() == RuntimeId::Wgpu);
    let device = match number {
        Some(number) => adapters.nth(number)?,
        None => adapters
            .next()
            .map(|_| CubeDevice::Wgpu(Default::default()))?,
    };
    let client = device.client();
    let (properties, runtime) = (client.properties(), client.name());
    let multiplies = |kind| {
        let shapes = &properties.features.matmul.cmma;
        shapes
            .iter()
            .any(|shape| shape.a_type == ElemType::Float(kind))
    };
    Some(WgpuAdapter {
        name: properties.identity.name.clone(),
        language: match runtime {
            name if name.contains("spirv") => "SPIR-V",
            name if name.contains("msl") => "MSL",
            _ => "WGSL",
        },
        memory: properties.memory.max_memory(),
        is_software: properties.identity.physical.is_none(),
        has_bf16: multiplies(FloatKind::BF16),
        has_tf32: multiplies(FloatKind::TF32),
    })
}
