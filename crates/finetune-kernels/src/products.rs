use std::{fmt, time::Duration};

use crate::Precision;

/// How a layer multiplies with its weight.
#[derive(Clone, Debug, Default)]
pub struct Products {
    /// In which numbers.
    pub precision: Precision,
    /// Where the weight is kept in the form that the processor's kernel reads. Only for a weight
    /// that does not change: the weight stays in memory as long as its packed form does.
    pub packed: Option<PackedWeight>,
}

impl From<Precision> for Products {
    fn from(precision: Precision) -> Self {
        Self {
            precision,
            packed: None,
        }
    }
}

/// Room for a weight in packed form, empty at first. Clones share it. Backends that do not pack
/// leave it empty.
#[derive(Clone, Default)]
pub struct PackedWeight {
    #[cfg(feature = "flex")]
    pub(crate) slot: std::sync::Arc<std::sync::Mutex<Option<crate::flex::PackedForm>>>,
}

impl fmt::Debug for PackedWeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PackedWeight")
    }
}

/// Time that the products of linear layers and their gradients took in this process on the CPU's
/// backend, the packing of operands included; attention's products are not counted.
pub fn time_in_products() -> Duration {
    #[cfg(feature = "flex")]
    let time = crate::matmul::time_in_products();
    #[cfg(not(feature = "flex"))]
    let time = Duration::ZERO;
    time
}
