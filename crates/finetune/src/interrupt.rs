//! Ctrl-C: the first asks the run to end after its step, the second ends the program.

use std::sync::atomic::{AtomicBool, Ordering};

use finetune_train::{Event, Observer, TrainError};

use crate::error::Failure;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Exit code of a program ended by SIGINT.
pub const EXIT_CODE: u8 = 130;

/// Begins to listen.
pub fn listen() -> Result<(), Failure> {
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(EXIT_CODE.into());
        }
    })
    .map_err(|error| Failure::Internal(format!("cannot listen for Ctrl-C: {error}")))
}

/// Ends an evaluation on Ctrl-C. Not for training, which ends by itself and keeps its model.
pub struct EndsEvaluation;

impl Observer for EndsEvaluation {
    fn on_event(&mut self, _event: &Event) -> Result<(), TrainError> {
        match requested() {
            true => Err(finetune_data::Error::Stopped.into()),
            false => Ok(()),
        }
    }
}

/// Whether Ctrl-C was pressed.
pub fn requested() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}
