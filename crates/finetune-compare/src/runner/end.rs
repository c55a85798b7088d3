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

/// Returns the line of a failed command's output that says why, or else its last one.
pub fn reason(output: &str) -> &str {
    let lines = || output.lines().filter(|line| !line.trim().is_empty());
    let error = lines().find(|line| line.starts_with("error: "));
    let line = error
        .or_else(|| lines().next_back())
        .unwrap_or("it printed nothing");
    line.strip_prefix("error: ").unwrap_or(line)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_the_reason() {
        assert_eq!(reason("note: x\nerror: no data\nmore\n"), "no data");
        assert_eq!(reason("one\ntwo\n\n"), "two");
        assert_eq!(reason(""), "it printed nothing");
    }
}
