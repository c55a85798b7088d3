//! SIGINT (Ctrl-C) and SIGTERM: the first asks the work to end where it can be resumed, the second
//! ends the program.

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

/// The signal that came; 0: none.
static SIGNAL: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);
/// Whether the next signal ends the program.
static ENDS: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Begins to listen.
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

/// The signal that came since this was asked last.
pub fn take() -> Option<i32> {
    match SIGNAL.swap(0, Ordering::SeqCst) {
        0 => None,
        signal => Some(signal as i32),
    }
}

/// Whether already the first signal ends the program: while nothing is done that has to be ended well,
/// and nobody asks whether a signal came, as while a file is looked through.
pub fn at_once(yes: bool) {
    ENDS.store(yes || requested(), Ordering::SeqCst);
}

/// Whether a signal came.
pub fn requested() -> bool {
    SIGNAL.load(Ordering::SeqCst) != 0
}

/// Exit code of a program that a signal ended: 130 after SIGINT, 143 after SIGTERM.
pub fn exit_code() -> u8 {
    match SIGNAL.load(Ordering::SeqCst) {
        0 => 128 + SIGINT as u8,
        signal => 128 + signal as u8,
    }
}

/// Asks training and evaluations to end.
pub struct OnSignal;

impl Observer for OnSignal {
    fn on_event(&mut self, _event: &Event) -> Result<(), TrainError> {
        Ok(())
    }

    fn interrupted(&self) -> bool {
        requested()
    }
}
