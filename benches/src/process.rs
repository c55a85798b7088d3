//! Running one measured process: its time, its peak memory, its output in a log.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};

use super::interrupt;
use super::quiet::{Ticks, ticks_of};
use xtask::workspace::shell_line;

/// Between two looks at a process. Long enough not to disturb it, short against all that is measured.
const PAUSE: Duration = Duration::from_millis(4);

/// Memory and processor time are looked at every so many looks.
const MEASURED_EVERY: u32 = 8;

/// Lines of a log that an error message shows.
const SHOWN: usize = 15;

/// A process that has ended.
#[derive(Debug)]
pub struct Finished {
    /// How.
    pub status: ExitStatus,
    /// When it was started, by the steady clock and by the calendar.
    pub started: (Instant, SystemTime),
    /// Largest resident set, in bytes; `None` where the system does not tell (only Linux does).
    pub peak_bytes: Option<u64>,
    /// Share of the processors' time that others took meanwhile; 0 where the system does not tell.
    pub others: f64,
}

/// Run `command` to its end, standard output and error in the file `log`. `watch` is called again
/// and again while it runs, and once after its end.
///
/// # Errors
/// When it cannot be started, or a signal asks us to end; how it ended is in the result.
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

/// What a process that failed says at its end, and where the rest is.
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

/// Nobody wants what it was doing.
fn end(child: &mut Child) {
    child.kill().ok();
    child.wait().ok();
}

fn peak_of(process: u32) -> Option<u64> {
    peak_in(&fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

/// The high-water mark of the resident set in what Linux says about a process.
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
