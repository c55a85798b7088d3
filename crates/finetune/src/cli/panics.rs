//! Reports a panic as one line with exit code 1 instead of a backtrace.

use crate::view::output::say;
use std::{panic, process::ExitCode};

/// Runs the program and reports its panics.
pub fn guard(program: impl FnOnce() -> ExitCode + panic::UnwindSafe) -> ExitCode {
    panic::set_hook(Box::new(|info| {
        // Libraries panic on some damaged files; `finetune-data` catches that and reports the file.
        // The runtimes of GPUs panic on what is missing; `finetune-infer` says what.
        if finetune_data::panic_is_caught() || finetune_infer::device_panic_is_caught(info) {
            return;
        }
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let message = info.payload_as_str().unwrap_or("no message");
        say!("internal error at {place}: {message}. This is a bug; please report it");
    }));
    panic::catch_unwind(program).unwrap_or(ExitCode::from(1))
}
