//! The threads that a model's operations are called from.

use burn::tensor::Device;
use rayon::prelude::*;

/// The threads that compute a model's operations.
#[derive(Clone, Copy, Debug)]
pub struct Workers {
    on_rayon: bool,
    asynchronous: bool,
}

impl Workers {
    /// Returns the threads for the device that a model is on.
    pub fn of(device: &Device) -> Self {
        #[cfg(feature = "flex")]
        let on_rayon = device.clone().without_autodiff() == Device::flex();
        #[cfg(not(feature = "flex"))]
        let on_rayon = {
            let _ = device;
            false
        };
        #[cfg(feature = "ndarray")]
        #[allow(deprecated)]
        let on_caller = device.clone().without_autodiff() == Device::ndarray();
        #[cfg(not(feature = "ndarray"))]
        let on_caller = false;
        Self {
            on_rayon,
            asynchronous: !on_rayon && !on_caller,
        }
    }

    /// Returns whether operations are only queued by the thread that calls them, which waits for the device
    /// when it reads a result.
    pub fn are_asynchronous(self) -> bool {
        self.asynchronous
    }

    /// Returns how many tokens to compute at once without gradients: on the CPU few enough that the
    /// activations between two layers stay in cache, elsewhere enough to keep the device busy.
    pub fn tokens_at_once(self) -> usize {
        match self.on_rayon {
            true => 2048,
            false => 8192,
        }
    }

    /// Runs `work` inside rayon's pool on the CPU: an operation called from outside the pool has to
    /// wake a thread and wait for it. A GPU's queue belongs to the calling thread, so there `work`
    /// runs on this one.
    pub fn run<R: Send>(self, work: impl FnOnce() -> R + Send) -> R {
        match self.on_rayon {
            true => rayon::scope(|_| work()),
            false => work(),
        }
    }

    /// Returns `work` of each item, in order. On the CPU several items are processed at a time, which takes
    /// fewer waits than dividing many small operations one after the other.
    pub fn map<T: Sync, R: Send>(
        self,
        items: &[T],
        work: impl Fn(&T) -> R + Sync + Send,
    ) -> Vec<R> {
        match self.on_rayon {
            true => items.par_iter().with_max_len(1).map(work).collect(),
            false => items.iter().map(work).collect(),
        }
    }
}
