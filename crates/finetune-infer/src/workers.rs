//! Where a model's operations are called from.

use burn::tensor::Device;

/// The threads that compute a model's operations.
#[derive(Clone, Copy, Debug)]
pub struct Workers {
    are_rayons: bool,
}

impl Workers {
    /// Those of the device that a model is on.
    pub fn of(device: &Device) -> Self {
        #[cfg(feature = "flex")]
        let are_rayons = device.clone().without_autodiff() == Device::flex();
        #[cfg(not(feature = "flex"))]
        let are_rayons = {
            let _ = device;
            false
        };
        Self { are_rayons }
    }

    /// Tokens to compute at once where nothing is kept of them: on the CPU so many that what lies
    /// between two layers stays in the cache, elsewhere so many that the device has enough to do.
    pub fn tokens_at_once(self) -> usize {
        match self.are_rayons {
            true => 2048,
            false => 8192,
        }
    }

    /// Runs `work` on one of them, where they are rayon's: an operation that is called from outside
    /// wakes a thread and waits for it, one that is called from there just begins. A GPU's queue
    /// belongs to the thread that calls, so there `work` stays on this one.
    pub fn run<R: Send>(self, work: impl FnOnce() -> R + Send) -> R {
        match self.are_rayons {
            true => rayon::scope(|_| work()),
            false => work(),
        }
    }
}
