//! Runs commands of the program that trains, each of which is done once, however often it is begun.

mod child;
mod end;
mod job;
mod queue;

use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use finetune_files::DirectoryLock;

pub use end::{End, exit_code, reason};
pub use job::{Goal, Job, RunState};
pub use queue::Queue;

use crate::CompareError;
use child::RunningJob;
use queue::List;

/// Interval of polling for ends and signals.
const PAUSE: Duration = Duration::from_millis(20);
/// How long to wait before looking at a lock again.
const LOCK_PAUSE: Duration = Duration::from_millis(200);

/// The variable by which a process of ours tells those that it starts its own process id. They end in their own
/// way when it dies, so that nothing trains unseen and the next one finds no directory in use.
pub const PARENT: &str = "FINETUNE_PARENT";

/// A program, the folder that it fills, and how many of its processes run at a time.
#[derive(Clone, Debug)]
pub struct Runner {
    /// The program.
    pub program: PathBuf,
    /// The folder with a directory and a log per job.
    pub folder: PathBuf,
    /// Number of processes at a time; 0 counts as 1.
    pub jobs: usize,
    /// Number of threads of each process; `None` leaves it to the program.
    pub threads: Option<usize>,
}

/// What happens meanwhile.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A process starts, with this command line.
    Starts(&'a Job, &'a [String]),
    /// The directory of a job is in use by another process, which is waited for.
    Waits(&'a Job),
    /// A job has ended.
    Ended(&'a Job, &'a End),
}

impl Runner {
    /// Does the jobs in their order, and returns how each ended. After a signal, which `signal` returns once,
    /// the running processes get it too, and no other is started. A job that fails keeps no other from being
    /// done.
    ///
    /// # Errors
    /// Fails if a process cannot be started or waited for, or if its log cannot be written. The running
    /// processes are told to end, and waited for.
    pub fn run(
        &self,
        jobs: &[Job],
        signal: &dyn Fn() -> Option<i32>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<End>, CompareError> {
        let mut list = List::new(jobs);
        let (ends, signalled) = self.session(&mut list, signal, progress)?;
        let stopped = End::Stopped(signalled.unwrap_or(2));
        let begun = ends.into_iter();
        let all = begun.chain(std::iter::repeat(None)).take(jobs.len());
        Ok(all
            .map(|end| end.unwrap_or_else(|| stopped.clone()))
            .collect())
    }

    /// Does the jobs of a queue until it has no more and all have ended; otherwise the same as
    /// [`run`](Self::run). Returns the signal that ended it early, if one did.
    ///
    /// # Errors
    /// Fails like `run`, and if the queue does.
    pub fn run_queue(
        &self,
        queue: &mut dyn Queue,
        signal: &dyn Fn() -> Option<i32>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Option<i32>, CompareError> {
        Ok(self.session(queue, signal, progress)?.1)
    }

    /// Returns how each job that was begun ended, and the signal.
    fn session(
        &self,
        queue: &mut dyn Queue,
        signal: &dyn Fn() -> Option<i32>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(Vec<Option<End>>, Option<i32>), CompareError> {
        let mut session = Session {
            runner: self,
            queue,
            jobs: Vec::new(),
            ends: Vec::new(),
            running: Vec::new(),
            waits: Vec::new(),
            signalled: None,
        };
        let done = session.work(signal, progress);
        if done.is_err() {
            session.end_all();
        }
        done?;
        Ok((session.ends, session.signalled))
    }
}

/// The jobs while they are done.
struct Session<'a> {
    runner: &'a Runner,
    queue: &'a mut dyn Queue,
    /// Those that the queue has handed out.
    jobs: Vec<Job>,
    /// How each ended, in the order of the jobs.
    ends: Vec<Option<End>>,
    /// The processes, with the indices of their jobs.
    running: Vec<(usize, RunningJob)>,
    /// Jobs whose directory somebody else uses, and when to look again.
    waits: Vec<(usize, Instant)>,
    signalled: Option<i32>,
}

impl Session<'_> {
    fn work(
        &mut self,
        signal: &dyn Fn() -> Option<i32>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), CompareError> {
        loop {
            if let Some(signal) = signal() {
                self.signalled = Some(signal);
                for (_, child) in &self.running {
                    child.signal(signal);
                }
            }
            self.collect(progress)?;
            if self.signalled.is_none() {
                self.start(progress)?;
            }
            let is_done = self.signalled.is_some() || self.ends.iter().all(Option::is_some);
            if self.running.is_empty() && is_done {
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
    }

    /// Takes note of the processes that have ended.
    fn collect(&mut self, progress: &mut dyn FnMut(Progress<'_>)) -> Result<(), CompareError> {
        let mut index = 0;
        while index < self.running.len() {
            let (number, child) = &mut self.running[index];
            let number = *number;
            let Some(end) = child.ended(&self.runner.program, self.signalled)? else {
                index += 1;
                continue;
            };
            self.running.remove(index);
            self.end(number, end, progress)?;
        }
        Ok(())
    }

    fn end(
        &mut self,
        number: usize,
        end: End,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), CompareError> {
        let job = &self.jobs[number];
        progress(Progress::Ended(job, &end));
        self.queue.ended(job, &end)?;
        self.ends[number] = Some(end);
        Ok(())
    }

    /// Starts processes for the next jobs.
    fn start(&mut self, progress: &mut dyn FnMut(Progress<'_>)) -> Result<(), CompareError> {
        let mut number = 0;
        while self.running.len() < self.runner.jobs.max(1) {
            if number == self.jobs.len() {
                let Some(job) = self.queue.next()? else {
                    break;
                };
                self.jobs.push(job);
                self.ends.push(None);
            }
            number += 1;
            self.start_one(number - 1, progress)?;
        }
        Ok(())
    }

    /// Starts a process for a job, if it needs one and its directory is free.
    fn start_one(
        &mut self,
        number: usize,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), CompareError> {
        let is_running = self.running.iter().any(|(running, _)| *running == number);
        if self.ends[number].is_some() || is_running {
            return Ok(());
        }
        let job = self.jobs[number].clone();
        let directory = self.runner.folder.join(&job.name);
        if job.is_done(&directory) {
            return self.end(number, End::WasDone, progress);
        }
        if self.is_in_use(number, &job, progress) {
            return Ok(());
        }
        let arguments = job.command(&directory);
        progress(Progress::Starts(&job, &arguments));
        let child = RunningJob::start(self.runner, &job.name, &arguments)?;
        self.running.push((number, child));
        Ok(())
    }

    /// Whether another process uses the directory of a job, such as one whose parent was killed and which is
    /// ending.
    fn is_in_use(
        &mut self,
        number: usize,
        job: &Job,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> bool {
        let now = Instant::now();
        let known = self
            .waits
            .iter()
            .position(|(waiting, _)| *waiting == number);
        if let Some(place) = known
            && self.waits[place].1 > now
        {
            return true;
        }
        if !DirectoryLock::is_taken(&self.runner.folder.join(&job.name)) {
            return false;
        }
        match known {
            Some(place) => self.waits[place].1 = now + LOCK_PAUSE,
            None => {
                progress(Progress::Waits(job));
                self.waits.push((number, now + LOCK_PAUSE));
            }
        }
        true
    }

    /// Ends the processes that still run, after an error of ours.
    fn end_all(&mut self) {
        const SIGTERM: i32 = 15;
        for (_, child) in &mut self.running {
            child.signal(SIGTERM);
            child.wait();
        }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::{cell::Cell, fs, os::unix::fs::PermissionsExt};

    use super::*;

    /// A program that does what the first argument says, in the folder that the second one names.
    const SCRIPT: &str = r#"#!/bin/sh
case "$1" in
train)
    mkdir -p "$3" && : > "$3/plan.toml"
    echo "started $2 with $RAYON_NUM_THREADS threads"
    case "$2" in
    fails) echo "error: no such data"; exit 2 ;;
    waits) trap 'exit 130' INT; while :; do sleep 0.05; done ;;
    esac
    echo '{}' > "$3/results.json" ;;
resume) echo "resumed"; echo '{}' > "$2/results.json" ;;
esac
"#;

    fn runner(folder: &std::path::Path) -> Runner {
        let program = folder.join("program");
        fs::write(&program, SCRIPT).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Runner {
            program,
            folder: folder.to_path_buf(),
            jobs: 2,
            threads: Some(3),
        }
    }

    fn job(folder: &std::path::Path, what: &str, name: &str) -> Job {
        let directory = folder.join(name).display().to_string();
        Job {
            name: name.into(),
            goal: Goal::Run,
            arguments: vec!["train".into(), what.into(), directory],
            always: Vec::new(),
        }
    }

    #[test]
    fn a_failure_keeps_no_other_job_from_being_done() {
        let folder = tempfile::tempdir().unwrap();
        let runner = runner(folder.path());
        let jobs = [
            job(folder.path(), "works", "a"),
            job(folder.path(), "fails", "b"),
            job(folder.path(), "works", "c"),
        ];
        let ends = runner.run(&jobs, &|| None, &mut |_| ()).unwrap();
        assert_eq!((&ends[0], &ends[2]), (&End::Done, &End::Done));
        let End::Failed { code: 2, output } = &ends[1] else {
            panic!("{ends:?}");
        };
        assert!(output.ends_with("error: no such data\n"), "{output}");
        let log = fs::read_to_string(folder.path().join("a.log")).unwrap();
        assert_eq!(log, "started works with 3 threads\n");

        // What is done stays; what was interrupted is resumed.
        fs::remove_file(folder.path().join("c/results.json")).unwrap();
        let mut lines = Vec::new();
        let ends = runner.run(&jobs, &|| None, &mut |progress| {
            if let Progress::Starts(job, arguments) = progress {
                lines.push(format!("{} {}", arguments[0], job.name));
            }
        });
        assert_eq!(ends.unwrap(), [End::WasDone, End::Done, End::Done]);
        assert_eq!(lines, ["resume b", "resume c"]);
    }

    #[test]
    fn a_signal_reaches_the_processes_and_nothing_else_is_started() {
        let folder = tempfile::tempdir().unwrap();
        let mut runner = runner(folder.path());
        runner.jobs = 1;
        let jobs = [
            job(folder.path(), "waits", "a"),
            job(folder.path(), "works", "b"),
        ];
        let sent = Cell::new(false);
        let ready = folder.path().join("a.log");
        let signal = || {
            let begun = fs::read_to_string(&ready).is_ok_and(|log| log.contains("started"));
            // The trap is set right after that.
            let due = begun && !sent.replace(begun);
            if due {
                thread::sleep(Duration::from_millis(300));
            }
            due.then_some(2)
        };
        let ends = runner.run(&jobs, &signal, &mut |_| ()).unwrap();
        assert_eq!(ends, [End::Stopped(2), End::Stopped(2)]);
        assert!(!folder.path().join("b").exists());
    }

    #[test]
    fn a_directory_in_use_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let runner = runner(folder.path());
        let directory = folder.path().join("a");
        fs::create_dir(&directory).unwrap();
        let mut lock = Some(DirectoryLock::take(&directory).unwrap());
        let jobs = [job(folder.path(), "works", "a")];
        let mut waits = 0;
        let ends = runner.run(&jobs, &|| None, &mut |progress| {
            if let Progress::Waits(_) = progress {
                waits += 1;
                lock = None;
            }
        });
        assert_eq!((ends.unwrap(), waits), (vec![End::Done], 1));
    }
}
