//! How long products take, all in all: what a step could not be faster than.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

static NANOSECONDS: AtomicU64 = AtomicU64::new(0);

/// Runs a product and counts its time. Products run one after another, each on all cores, so that
/// the sum is that of a clock on the wall.
pub(super) fn timed(product: impl FnOnce()) {
    let begun = Instant::now();
    product();
    let nanoseconds = begun.elapsed().as_nanos() as u64;
    NANOSECONDS.fetch_add(nanoseconds, Ordering::Relaxed);
}

/// See [`time_in_products`](crate::time_in_products).
pub(crate) fn total() -> Duration {
    Duration::from_nanos(NANOSECONDS.load(Ordering::Relaxed))
}
