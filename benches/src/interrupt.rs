//! Handles Ctrl-C and SIGTERM: the running process is ended, and finished results are kept.

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};

/// The signal that was received, or 0.
static SIGNAL: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// Starts listening for signals.
///
/// # Errors
/// Fails if the system refuses a handler.
pub fn listen() -> Result<()> {
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_usize(signal, SIGNAL.clone(), signal as usize)
            .with_context(|| format!("cannot listen for signal {signal}"))?;
    }
    Ok(())
}

/// Returns a shell's exit code for the received signal, if there was one.
#[must_use]
pub fn exit_code() -> Option<u8> {
    let signal = SIGNAL.load(Ordering::SeqCst);
    (signal != 0).then(|| u8::try_from(128 + signal).unwrap_or(1))
}
