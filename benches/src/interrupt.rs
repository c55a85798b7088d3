//! Ctrl-C and SIGTERM: what is running is ended, and what is finished stays.

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};

/// The signal that came; 0: none.
static SIGNAL: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// Begin to listen.
///
/// # Errors
/// When the system does not let us.
pub fn listen() -> Result<()> {
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_usize(signal, SIGNAL.clone(), signal as usize)
            .with_context(|| format!("cannot listen for signal {signal}"))?;
    }
    Ok(())
}

/// The exit code that a shell shows after the signal that came, if one did.
#[must_use]
pub fn exit_code() -> Option<u8> {
    let signal = SIGNAL.load(Ordering::SeqCst);
    (signal != 0).then(|| u8::try_from(128 + signal).unwrap_or(1))
}
