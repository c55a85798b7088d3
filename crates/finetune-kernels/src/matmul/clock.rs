//! Measures the total time of matrix multiplications, a lower bound of a step's time.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

static NANOSECONDS: AtomicU64 = AtomicU64::new(0);

/// Runs a multiplication and adds its time to the total. Multiplications run one after another, each on
/// all cores, so the sum is wall-clock time.
pub(super) fn timed(multiply: impl FnOnce()) {
    let begun = Instant::now();
    multiply();
    let nanoseconds = begun.elapsed().as_nanos() as u64;
    NANOSECONDS.fetch_add(nanoseconds, Ordering::Relaxed);
}

/// See [`time_in_matmul`](crate::time_in_matmul).
pub(crate) fn total() -> Duration {
    Duration::from_nanos(NANOSECONDS.load(Ordering::Relaxed))
}
