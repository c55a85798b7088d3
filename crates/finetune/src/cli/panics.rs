//! A bug ends the program with one line and exit code 1, not with a backtrace.

use crate::view::output::say;
use std::{panic, process::ExitCode};

/// Runs the program.
pub fn guard(program: impl FnOnce() -> ExitCode + panic::UnwindSafe) -> ExitCode {
    panic::set_hook(Box::new(|info| {
        // Libraries panic on some damaged files; `finetune-data` catches that and says what is wrong
        // with the file, so the panic itself is not news.
        if finetune_data::panic_is_caught() {
            return;
        }
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let message = info.payload_as_str().unwrap_or("no message");
        say!("internal error at {place}: {message}. This is a bug; please report it");
    }));
    panic::catch_unwind(program).unwrap_or(ExitCode::from(1))
}
