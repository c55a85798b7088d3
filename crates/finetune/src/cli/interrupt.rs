//! Handles SIGINT (Ctrl-C) and SIGTERM: the first signal stops the work where it can be resumed, the
//! second ends the program.

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use finetune_train::{Event, Observer, TrainError};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

use crate::error::Failure;

/// The last signal received; 0 for none.
static SIGNAL: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);
/// Whether the next signal ends the program.
static ENDS: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Installs the signal handlers.
///
/// # Errors
/// Fails if a handler cannot be installed.
pub fn listen() -> Result<(), Failure> {
    let register = |signal: i32| {
        flag::register_conditional_shutdown(signal, 128 + signal, ENDS.clone())?;
        flag::register(signal, ENDS.clone())?;
        flag::register_usize(signal, SIGNAL.clone(), signal as usize)
    };
    for signal in [SIGINT, SIGTERM] {
        register(signal).map_err(|error| {
            Failure::Internal(format!("cannot listen for signal {signal}: {error}"))
        })?;
    }
    Ok(())
}

/// Takes the signal received since the last call, if any.
pub fn take() -> Option<i32> {
    match SIGNAL.swap(0, Ordering::SeqCst) {
        0 => None,
        signal => Some(signal as i32),
    }
}

/// Sets whether even the first signal ends the program, for work that needs no cleanup and does not
/// poll for signals, such as scanning a file.
pub fn at_once(yes: bool) {
    ENDS.store(yes || requested(), Ordering::SeqCst);
}

/// Returns whether a signal was received.
pub fn requested() -> bool {
    SIGNAL.load(Ordering::SeqCst) != 0
}

/// Returns the exit code after a signal: 130 after SIGINT, 143 after SIGTERM.
pub fn exit_code() -> u8 {
    match SIGNAL.load(Ordering::SeqCst) {
        0 => 128 + SIGINT as u8,
        signal => 128 + signal as u8,
    }
}

/// Stops training and evaluation after a signal.
pub struct OnSignal;

impl Observer for OnSignal {
    fn on_event(&mut self, _event: &Event) -> Result<(), TrainError> {
        Ok(())
    }

    fn interrupted(&self) -> bool {
        requested()
    }
}
