//! Runs training with `--auto-find-batch-size` in a separate process. If that process still runs out of
//! memory, the run resumes from the newest checkpoint with half the batch size. The number of rows per
//! step stays the same.

use std::{
    ffi::OsString,
    io,
    path::Path,
    process::{Child, Command, ExitCode, ExitStatus},
    thread,
    time::Duration,
};

use finetune_train::{RunDirectory, TrainPlan, batch_sizes};

use crate::{
    cli::interrupt,
    commands::{execute::resume_line, memory},
    error::Failure,
    view::output::say,
};

/// Interval of polling for the end of the process and for signals.
const PAUSE: Duration = Duration::from_millis(20);

/// Trains a run that has been started, with `resume RUN OPTIONS` in another process, as often as necessary.
///
/// # Errors
/// Fails if the process cannot be started or dies, or if not even one row fits into memory.
pub fn supervise(run: &Path, options: &[OsString]) -> Result<ExitCode, Failure> {
    let internal = |error: io::Error| {
        Failure::Internal(format!("cannot train in a separate process: {error}"))
    };
    let program = std::env::current_exe().map_err(internal)?;
    loop {
        let kills = memory::kills();
        let mut command = Command::new(&program);
        command.arg("resume").arg(run).arg("--worker").args(options);
        // Only this process receives Ctrl-C, and forwards it once.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut worker = command.spawn().map_err(internal)?;
        let status = wait(&mut worker).map_err(internal)?;
        if let Some(code) = status.code() {
            return Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)));
        }
        if !lacked_memory(status, memory::kills() > kills) {
            return Err(Failure::Internal(format!(
                "the training process ended with {status}. Resume with\n  {}",
                resume_line(run)
            )));
        }
        halve(run, status)?;
    }
}

/// Waits for the process to end and forwards signals to it.
fn wait(worker: &mut Child) -> io::Result<ExitStatus> {
    loop {
        if let Some(status) = worker.try_wait()? {
            return Ok(status);
        }
        #[cfg(unix)]
        if let Some(signal) = interrupt::take() {
            use rustix::process::{Pid, Signal, kill_process};
            let signal = match signal {
                signal_hook::consts::SIGTERM => Signal::TERM,
                _ => Signal::INT,
            };
            // The process may have just ended.
            let _ = kill_process(Pid::from_child(worker), signal);
        }
        thread::sleep(PAUSE);
    }
}

/// Returns whether a process ended by a signal ran out of memory: a failed allocation aborts, and the
/// system's own kills are counted.
pub fn lacked_memory(status: ExitStatus, killed_for_memory: bool) -> bool {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal: Option<i32> = None.filter(|_| status.success());
    const SIGABRT: i32 = 6;
    const SIGKILL: i32 = 9;
    match signal {
        Some(SIGABRT) => true,
        Some(SIGKILL) => killed_for_memory,
        _ => false,
    }
}

/// Changes a run's plan to the next smaller batch size.
fn halve(path: &Path, status: ExitStatus) -> Result<(), Failure> {
    let (mut run, saved) = RunDirectory::open(path)?;
    let plan = saved.trained();
    let optimization = &plan.optimization;
    let rows = optimization.batch_rows(plan.data.max_length);
    let mut sizes = batch_sizes(rows, optimization.gradient_accumulation_steps);
    let Some((batch_size, gradient_accumulation_steps)) = sizes.nth(1) else {
        return Err(Failure::User(
            "not even one row fits into memory; use a smaller --max-length, --strategy lora or head, or a smaller model".into(),
        ));
    };
    say!(
        "note: {rows} rows did not fit into memory after all ({status}); the run resumes from its newest checkpoint with {batch_size} rows × {gradient_accumulation_steps} per step"
    );
    let plan = TrainPlan {
        optimization: optimization.with_batches(batch_size, gradient_accumulation_steps),
        ..plan.clone()
    };
    Ok(run.change_plan(&plan)?)
}

/// Makes the training process, which calls this, stop if its parent dies.
pub fn end_with_parent() {
    // Only Linux supports this.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM));
}

/// Makes this process stop if a runner started it and dies, so that nothing trains unseen. A process that it
/// starts in turn inherits the variable, but has another parent.
pub fn end_with_a_runner() {
    #[cfg(target_os = "linux")]
    if let Ok(parent) = std::env::var(finetune_compare::runner::PARENT)
        && let Some(actual) = rustix::process::getppid()
        && parent == actual.as_raw_nonzero().to_string()
    {
        end_with_parent();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn aborts_and_counted_kills_mean_out_of_memory() {
        let signal = ExitStatus::from_raw;
        assert!(lacked_memory(signal(6), false));
        assert!(lacked_memory(signal(9), true));
        assert!(!lacked_memory(signal(9), false));
        assert!(!lacked_memory(signal(15), true));
        assert!(!lacked_memory(signal(1 << 8), true));
    }
}
