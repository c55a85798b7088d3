//! Free disk space, and sizes in words.

use std::path::Path;

/// Returns the number of bytes that this user can still write to the disk of `path`, which need not
/// exist yet; `None` if the system does not say.
#[cfg(unix)]
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    let existing = path.ancestors().find(|path| path.exists())?;
    let disk = rustix::fs::statvfs(existing).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Returns the number of bytes that this user can still write; `None`, since the system does not
/// say.
#[cfg(not(unix))]
pub(crate) fn free_bytes(_path: &Path) -> Option<u64> {
    None
}

/// Formats a size such as `81.3 MB`, in powers of 1000.
pub(crate) fn megabytes(bytes: u64) -> String {
    match bytes {
        0..100_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}
