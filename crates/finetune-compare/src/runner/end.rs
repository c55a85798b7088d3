//! How a job ended.

use std::process::ExitStatus;

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It was done before, and nothing was started.
    WasDone,
    /// Its process did it.
    Done,
    /// Its process failed.
    Failed {
        /// The exit code that a shell would show.
        code: u8,
        /// The end of its output.
        output: String,
    },
    /// This signal stopped it, or kept it from being started.
    Stopped(i32),
}

/// Returns the exit code that a shell would show for this status.
pub fn exit_code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = status.signal() {
            return u8::try_from(128 + signal).unwrap_or(1);
        }
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.unwrap_or(1)
}
