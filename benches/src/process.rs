//! Runs a measured process: its time, its peak memory, and a log of its output.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};

use super::interrupt;
use super::quiet::{Ticks, ticks_of};
use xtask::workspace::shell_line;

/// Time between two checks of a process: long enough not to disturb it, and short compared with all
/// measured times.
const PAUSE: Duration = Duration::from_millis(4);

/// Memory and processor time are read at every such check.
const MEASURED_EVERY: u32 = 8;

/// Number of lines of a log that an error message shows.
const SHOWN: usize = 15;

/// A finished process.
#[derive(Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// When it was started, by the monotonic clock and by the calendar.
    pub started: (Instant, SystemTime),
    /// Largest resident set in bytes; `None` if the system does not report it (only Linux does).
    pub peak_bytes: Option<u64>,
    /// Share of the processors' time that other processes took; 0 if the system does not report it.
    pub others: f64,
}

/// Runs `command` to its end, with standard output and error in the file `log`. `watch` is called
/// repeatedly while it runs, and once after its end.
///
/// # Errors
/// Fails if the process cannot be started or a signal interrupts us. The exit status is in the result.
pub fn run(command: &mut Command, log: &Path, mut watch: impl FnMut()) -> Result<Finished> {
    let file = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
    let errors = file.try_clone().context("cannot share a log")?;
    command.stdin(Stdio::null()).stdout(file).stderr(errors);
    let started = (Instant::now(), SystemTime::now());
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start `{}`", line(command)))?;
    let (ticks, mut own, mut peak_bytes) = (Ticks::now(), 0, None);
    for look in 0u32.. {
        if let Some(status) = child.try_wait().context("cannot wait for a process")? {
            watch();
            let others = ticks.zip(Ticks::now());
            return Ok(Finished {
                status,
                started,
                peak_bytes,
                others: others.map_or(0.0, |(before, now)| before.others_until(now, own)),
            });
        }
        if interrupt::exit_code().is_some() {
            end(&mut child);
            bail!("interrupted");
        }
        if look.is_multiple_of(MEASURED_EVERY) {
            peak_bytes = peak_of(child.id()).or(peak_bytes);
            own = ticks_of(child.id()).unwrap_or_default().max(own);
        }
        watch();
        std::thread::sleep(PAUSE);
    }
    bail!("the process runs for months")
}

/// Formats the failure of a process with the end of its log.
#[must_use]
pub fn failure(command: &Command, status: ExitStatus, log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    format!(
        "`{}` failed ({status}); all it wrote is in {}, the end of that is\n{}",
        line(command),
        log.display(),
        lines[lines.len().saturating_sub(SHOWN)..].join("\n")
    )
}

fn line(command: &Command) -> String {
    shell_line(std::iter::once(command.get_program()).chain(command.get_args()))
}

/// Kills a process whose result is no longer needed.
fn end(child: &mut Child) {
    child.kill().ok();
    child.wait().ok();
}

fn peak_of(process: u32) -> Option<u64> {
    peak_in(&fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

/// Reads the peak resident set from the status that Linux reports for a process.
fn peak_in(status: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_the_high_water_mark() {
        let status = "Name:\tx\nVmPeak:\t  9000 kB\nVmHWM:\t  2000 kB\nVmRSS:\t  1000 kB\n";
        assert_eq!(peak_in(status), Some(2_048_000));
        assert_eq!(peak_in("Name:\tx\nState:\tZ (zombie)\n"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_failure_shows_the_end_of_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut command = Command::new("sh");
        command.args(["-c", "seq 100; echo why >&2; sleep 0.1; exit 3"]);
        let mut looks = 0;
        let finished = run(&mut command, &log, || looks += 1).unwrap();
        assert!(looks > 1);
        assert!(cfg!(not(target_os = "linux")) || finished.peak_bytes.is_some());
        let message = failure(&command, finished.status, &log);
        assert!(message.contains("exit status: 3"), "{message}");
        assert!(message.ends_with("99\n100\nwhy"), "{message}");
        assert!(!message.contains("\n80\n"), "{message}");
        let missing = run(&mut Command::new("no-such-program"), &log, || ()).unwrap_err();
        assert_eq!(missing.to_string(), "cannot start `no-such-program`");
    }
}
