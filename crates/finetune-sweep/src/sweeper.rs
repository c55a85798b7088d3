//! Trains what the verdicts say, until nothing is due.

use std::{cell::Cell, collections::BTreeSet, path::PathBuf, time::Instant};

use finetune_compare::runner::{End, Goal, Job, Progress, Queue, Runner, reason};

use crate::{
    Budget, CompareError, RunProgress, Shard, Sweep, SweepDirectory, Trial, TrialState, Verdict,
};

/// Reads what a run says about itself; nothing if it has not begun. Fails with what is wrong.
pub type ReadRun<'a> = &'a dyn Fn(&std::path::Path) -> Result<RunProgress, CompareError>;

/// Why training stopped although trials are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// A signal.
    Signal(i32),
    /// The time of the description is over.
    TimeIsOver,
}

/// A sweep while its trials are trained.
pub struct Sweeper<'a> {
    sweep: &'a Sweep,
    trials: &'a [Trial],
    shard: Shard,
    directory: &'a SweepDirectory,
    read: ReadRun<'a>,
    states: Vec<TrialState>,
    /// The trials that are being trained, with how far.
    running: Vec<(usize, Budget)>,
}

impl<'a> Sweeper<'a> {
    /// Reads what has been done already.
    ///
    /// # Errors
    /// Fails if a run cannot be read.
    pub fn new(
        sweep: &'a Sweep,
        trials: &'a [Trial],
        shard: Shard,
        directory: &'a SweepDirectory,
        read: ReadRun<'a>,
    ) -> Result<Self, CompareError> {
        let mut sweeper = Self {
            sweep,
            trials,
            shard,
            directory,
            read,
            states: vec![TrialState::default(); trials.len()],
            running: Vec::new(),
        };
        sweeper.read_all()?;
        Ok(sweeper)
    }

    /// What is known of each trial.
    pub fn states(&self) -> &[TrialState] {
        &self.states
    }

    /// Trains the trials of the shard, as far as the results of all allow. `signal` and `progress` are those of
    /// [`Runner::run`]. Returns why it stopped before nothing was due.
    ///
    /// # Errors
    /// Fails if a process cannot be started, or if a file cannot be read or written.
    pub fn run(
        &mut self,
        runner: &Runner,
        signal: &dyn Fn() -> Option<i32>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Option<Stopped>, CompareError> {
        const SIGINT: i32 = 2;
        let deadline = self
            .sweep
            .time
            .and_then(|time| Instant::now().checked_add(time));
        let is_over = Cell::new(false);
        let either = || {
            signal().or_else(|| {
                let passed = deadline.is_some_and(|deadline| Instant::now() >= deadline);
                // The runs stop at their next step, as after Ctrl-C.
                (passed && !is_over.replace(true)).then_some(SIGINT)
            })
        };
        loop {
            let stopped = runner.run_queue(self, &either, progress)?;
            if let Some(signal) = stopped {
                self.read_all()?;
                return Ok(Some(match is_over.get() {
                    true => Stopped::TimeIsOver,
                    false => Stopped::Signal(signal),
                }));
            }
            // Other shards may have gone on meanwhile.
            self.read_all()?;
            if self.next_due().is_none() {
                return Ok(None);
            }
        }
    }

    /// Reads the runs of all trials.
    fn read_all(&mut self) -> Result<(), CompareError> {
        for (trial, state) in self.trials.iter().zip(&mut self.states) {
            if !state.progress.is_complete {
                state.progress = (self.read)(&self.directory.path().join(&trial.name))?;
            }
        }
        Ok(())
    }

    /// The first trial of the shard that is due and not being trained.
    fn next_due(&self) -> Option<(usize, Budget)> {
        let running: BTreeSet<usize> = self.running.iter().map(|(number, _)| *number).collect();
        let verdicts = self.sweep.verdicts(&self.states).into_iter().enumerate();
        verdicts
            .filter(|(number, _)| self.shard.has(*number) && !running.contains(number))
            .find_map(|(number, verdict)| match verdict {
                Verdict::Due(budget) => Some((number, budget)),
                _ => None,
            })
    }

    fn job(&self, trial: &Trial, budget: Budget) -> Job {
        let text = |path: PathBuf| path.display().to_string();
        let always = match budget {
            Budget::Full => Vec::new(),
            Budget::Steps(steps) => vec!["--pause-after-step".into(), steps.to_string()],
            Budget::Epochs(epochs) => vec!["--pause-after-epoch".into(), epochs.to_string()],
        };
        Job {
            name: trial.name.clone(),
            goal: Goal::Run,
            arguments: vec![
                "train".into(),
                text(self.directory.options(trial)),
                "--output".into(),
                text(self.directory.path().join(&trial.name)),
            ],
            always,
        }
    }
}

impl Queue for Sweeper<'_> {
    fn next(&mut self) -> Result<Option<Job>, CompareError> {
        let Some((number, budget)) = self.next_due() else {
            return Ok(None);
        };
        let trial = &self.trials[number];
        self.directory.write_options(trial)?;
        self.running.push((number, budget));
        Ok(Some(self.job(trial, budget)))
    }

    fn ended(&mut self, job: &Job, end: &End) -> Result<(), CompareError> {
        let place = self.running.iter();
        let mut place = place.enumerate();
        let place = place.find(|(_, (number, _))| self.trials[*number].name == job.name);
        let Some((place, &(number, budget))) = place else {
            return Ok(());
        };
        self.running.remove(place);
        let state = &mut self.states[number];
        state.progress = (self.read)(&self.directory.path().join(&job.name))?;
        match end {
            End::Failed { code, output } => {
                state.failed = Some(format!("exit code {code}: {}", reason(output)));
            }
            End::Done | End::WasDone if !state.progress.has_reached(budget) => {
                state.failed = Some(format!(
                    "it was trained up to {budget}, but was not evaluated there"
                ));
            }
            End::Done | End::WasDone | End::Stopped(_) => {}
        }
        Ok(())
    }
}
