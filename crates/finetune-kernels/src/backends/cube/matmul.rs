//! Matrix multiplication, on tensor cores where the device has them.

use burn::{backend::cubecl::dtype_to_storage_type, tensor::DType};
use burn_cubecl::{cubecl::features::TypeUsage, kernel::cast, tensor::CubeTensor};
use cubek::{
    matmul::{
        definition::{MatmulElems, MatmulGlobalElems},
        launch::launch_ref,
        multi_level::Strategy as Levels,
        strategy::Strategy,
    },
    std::InputBinding,
};

use super::{
    buffers::{dims, of_type, zeros},
    rounding::rounded,
};
use crate::Precision;

/// Multiplies `[m, k]` by `[k, n]` to `[m, n]`. Operands may be [`transposed`].
pub(super) fn matmul(a: CubeTensor, b: CubeTensor, precision: Precision) -> CubeTensor {
    let ([m, k], [_, n]) = (dims(&a), dims(&b));
    if m * n * k == 0 {
        return zeros(&a, [m, n]);
    }
    let result = of_type(&a, [m, n], DType::F32);
    let (a, b) = match precision {
        Precision::Bf16 if has_bf16(&a) => (cast(a, DType::BF16), cast(b, DType::BF16)),
        // Products of rounded operands are the same in f32.
        Precision::Bf16 => (rounded(a), rounded(b)),
        Precision::F32 | Precision::Tf32 => (a, b),
    };
    // On tensor cores f32 operands are rounded to TF32.
    let without_units: [Strategy; 2] = [
        Levels::SimpleUnit(Default::default()).into(),
        Levels::Naive.into(),
    ];
    let units = Levels::SimpleCyclicCmma(Default::default()).into();
    match precision {
        Precision::F32 => launch(a, b, &result, &without_units),
        Precision::Tf32 | Precision::Bf16 => {
            let [simple, naive] = without_units;
            launch(a, b, &result, &[units, simple, naive]);
        }
    }
    result
}

/// Exchanges rows and columns, without moving an element.
pub(super) fn transposed(mut a: CubeTensor) -> CubeTensor {
    a.meta.swap(0, 1);
    a
}

/// Returns whether the device multiplies matrices of bf16.
fn has_bf16(a: &CubeTensor) -> bool {
    let properties = a.client.properties();
    let bf16 = dtype_to_storage_type(DType::BF16);
    properties
        .type_usage(bf16)
        .is_superset(TypeUsage::Buffer | TypeUsage::Conversion)
        && properties
            .features
            .matmul
            .cmma
            .iter()
            .any(|shape| shape.a_type == bf16)
}

/// Runs the first strategy that the device has. The last is there on all of them.
fn launch(a: CubeTensor, b: CubeTensor, result: &CubeTensor, strategies: &[Strategy]) {
    let element = dtype_to_storage_type(a.dtype);
    for strategy in strategies {
        let mut elements = MatmulElems::from_globals(&MatmulGlobalElems {
            lhs: element,
            rhs: element,
            out: dtype_to_storage_type(DType::F32),
        });
        let launched = launch_ref(
            strategy,
            &result.client,
            InputBinding::new(a.clone().binding(), element),
            InputBinding::new(b.clone().binding(), element),
            result.clone().binding(),
            &mut elements,
        );
        if launched.is_ok() {
            return;
        }
    }
}
