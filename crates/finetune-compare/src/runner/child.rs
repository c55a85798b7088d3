//! A process that does a job, with its output in a log.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use finetune_files::{FileError, IoContext};

use super::{End, PARENT, Runner, exit_code};
use crate::CompareError;

/// How much of a failed command's output is kept, in bytes from its end.
const SHOWN: u64 = 2000;

/// A process, and where its output begins in the log.
pub(super) struct RunningJob {
    child: Child,
    log: File,
    path: PathBuf,
    start: u64,
}

impl RunningJob {
    pub(super) fn start(
        runner: &Runner,
        name: &str,
        arguments: &[String],
    ) -> Result<Self, CompareError> {
        let path = runner.folder.join(format!("{name}.log"));
        let (log, output, start) = open_log(&path).context("write", &path)?;
        let mut command = Command::new(&runner.program);
        command.args(arguments).stdin(Stdio::null());
        command.stdout(output.0).stderr(output.1);
        command.env(PARENT, std::process::id().to_string());
        if let Some(threads) = runner.threads {
            command.env("RAYON_NUM_THREADS", threads.to_string());
        }
        // Only this process receives Ctrl-C, and forwards it once.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().map_err(|source| CompareError::Program {
            program: runner.program.clone(),
            source,
        })?;
        Ok(Self {
            child,
            log,
            path,
            start,
        })
    }

    /// How the process ended, if it has. `signalled` is the signal that it was sent.
    pub(super) fn ended(
        &mut self,
        program: &Path,
        signalled: Option<i32>,
    ) -> Result<Option<End>, CompareError> {
        let status = self
            .child
            .try_wait()
            .map_err(|source| CompareError::Program {
                program: program.to_path_buf(),
                source,
            })?;
        let Some(status) = status else {
            return Ok(None);
        };
        if status.success() {
            return Ok(Some(End::Done));
        }
        let code = exit_code(status);
        if let Some(signal) = signalled
            && i32::from(code) == 128 + signal
        {
            return Ok(Some(End::Stopped(signal)));
        }
        let output = tail(&mut self.log, self.start);
        let output = output.map_err(|error| FileError::new("read", &self.path, error))?;
        Ok(Some(End::Failed { code, output }))
    }

    #[cfg(unix)]
    pub(super) fn signal(&self, signal: i32) {
        use rustix::process::{Pid, Signal, kill_process};
        const SIGTERM: i32 = 15;
        let signal = match signal {
            SIGTERM => Signal::TERM,
            _ => Signal::INT,
        };
        // The process may have just ended.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    #[cfg(not(unix))]
    pub(super) fn signal(&self, _signal: i32) {}

    pub(super) fn wait(&mut self) {
        let _ = self.child.wait();
    }
}

/// Opens a log to append to it, twice for the process and once to read it, and tells its length.
fn open_log(path: &Path) -> io::Result<(File, (File, File), u64)> {
    let mut options = OpenOptions::new();
    let mut file = options.create(true).append(true).read(true).open(path)?;
    let start = file.seek(SeekFrom::End(0))?;
    let output = (file.try_clone()?, file.try_clone()?);
    Ok((file, output, start))
}

/// The end of what was written from `start` on, in whole lines.
fn tail(file: &mut File, start: u64) -> io::Result<String> {
    let end = file.metadata()?.len();
    let begin = start.max(end.saturating_sub(SHOWN));
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let whole = match begin > start {
        true => text.split_once('\n').map_or("", |(_, rest)| rest),
        false => &text,
    };
    Ok(whole.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_begins_with_a_whole_line() {
        let mut file = tempfile::tempfile().unwrap();
        let lines: String = (0..1000).map(|line| format!("line {line}\n")).collect();
        io::Write::write_all(&mut file, lines.as_bytes()).unwrap();
        let shown = tail(&mut file, 0).unwrap();
        assert!(
            shown.starts_with("line ") && shown.ends_with("line 999\n"),
            "{shown}"
        );
        assert!(shown.len() as u64 <= SHOWN);
        let last = lines.len() as u64 - 9;
        assert_eq!(tail(&mut file, last).unwrap(), "line 999\n");
    }
}
