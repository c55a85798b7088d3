//! A run with `--auto-find-batch-size`, in a process of its own: where the memory does not suffice after
//! all, that process is ended by the system or ends itself, and half of the batch goes on from the newest
//! checkpoint. The rows of a step stay the same.

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

/// How often it is looked whether the process has ended, or a signal come.
const PAUSE: Duration = Duration::from_millis(20);

/// Works on a run that has begun, by `resume RUN OPTIONS` in another process, as often as need be.
pub fn supervise(run: &Path, options: &[OsString]) -> Result<ExitCode, Failure> {
    let internal = |error: io::Error| {
        Failure::Internal(format!("cannot train in a process of its own: {error}"))
    };
    let program = std::env::current_exe().map_err(internal)?;
    loop {
        let kills = memory::kills();
        let mut command = Command::new(&program);
        command.arg("resume").arg(run).arg("--worker").args(options);
        // Ctrl-C comes to this process alone, which hands it on once.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut worker = command.spawn().map_err(internal)?;
        let status = wait(&mut worker).map_err(internal)?;
        if let Some(code) = status.code() {
            return Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)));
        }
        if !lacked_memory(status, memory::kills() > kills) {
            return Err(Failure::Internal(format!(
                "the process that trained was ended by {status}. Go on with\n  {}",
                resume_line(run)
            )));
        }
        halve(run, status)?;
    }
}

/// The end of the process; signals that come meanwhile are handed on to it.
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
            // It may have ended just now.
            let _ = kill_process(Pid::from_child(worker), signal);
        }
        thread::sleep(PAUSE);
    }
}

/// Whether a process that a signal ended had not enough memory: an allocation that fails aborts, and the
/// system kills, and counts it.
fn lacked_memory(status: ExitStatus, killed_for_memory: bool) -> bool {
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

/// Gives a run the next smaller batch.
fn halve(path: &Path, status: ExitStatus) -> Result<(), Failure> {
    let (mut run, saved) = RunDirectory::open(path)?;
    let plan = saved.trained();
    let optimization = &plan.optimization;
    let rows = optimization.batch_rows(plan.data.max_length);
    let mut sizes = batch_sizes(rows, optimization.gradient_accumulation_steps);
    let Some((batch_size, gradient_accumulation_steps)) = sizes.nth(1) else {
        return Err(Failure::User(
            "not even one row fits into the memory; use a smaller --max-length, --strategy lora or head, or a smaller model".into(),
        ));
    };
    say!(
        "note: {rows} rows did not fit into the memory in the end ({status}); the run goes on from its newest checkpoint with {batch_size} rows × {gradient_accumulation_steps} a step"
    );
    let plan = TrainPlan {
        optimization: optimization.with_batches(batch_size, gradient_accumulation_steps),
        ..plan.clone()
    };
    Ok(run.change_plan(&plan)?)
}

/// To be called in the process that trains: it is asked to end where the one that waits for it is gone.
pub fn end_with_parent() {
    // Only Linux has it.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM));
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn which_ends_are_a_lack_of_memory() {
        let signal = ExitStatus::from_raw;
        assert!(lacked_memory(signal(6), false));
        assert!(lacked_memory(signal(9), true));
        assert!(!lacked_memory(signal(9), false));
        assert!(!lacked_memory(signal(15), true));
        assert!(!lacked_memory(signal(1 << 8), true));
    }
}
