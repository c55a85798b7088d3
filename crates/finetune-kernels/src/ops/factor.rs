//! A factor that the host knows, or only the device.

use burn::backend::{Backend, ExtensionType, tensor::FloatTensor};

/// A factor of all elements of a tensor.
#[derive(Clone, Debug, ExtensionType)]
pub enum Factor<B: Backend> {
    /// A number.
    Host(f64),
    /// The value of a tensor, `[1]`, which is used without waiting for it.
    Device(FloatTensor<B>),
}
