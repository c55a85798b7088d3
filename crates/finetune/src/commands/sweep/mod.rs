//! `finetune sweep`: searches hyperparameters by training trials that a file describes.

mod progress;

use std::{path::Path, process::ExitCode};

use finetune_compare::runner::{Progress, Runner};
use finetune_sweep::{
    CompareError, Outcome, Shard, Stopped, Sweep, SweepDirectory, Sweeper, Trial, TrialState,
    Verdict,
    directory::{BEST, CSV, JSON, MARKDOWN},
    merge::merge,
};

use crate::{
    cli::{
        interrupt, settings,
        sweep_args::{SweepArguments, SweepCommand, SweepMergeArguments},
    },
    commands::runs::{self, own_program},
    error::Failure,
    view::{
        output::{print_json, say, show},
        shell::{self, quote_path},
        sweep_table,
    },
};

/// Trains the trials of a sweep, or brings together those of its shards.
///
/// # Errors
/// Fails if the description is wrong, if the directory has something else, or if a file cannot be read or written.
/// Trials that fail are reported in the table instead.
pub fn run(arguments: &SweepArguments) -> Result<ExitCode, Failure> {
    match (&arguments.command, &arguments.file) {
        (Some(SweepCommand::Merge(arguments)), _) => merged(arguments),
        (None, Some(file)) => trained(file, arguments),
        (None, None) => Err(Failure::User("no file that describes a sweep".into())),
    }
}

fn trained(file: &Path, arguments: &SweepArguments) -> Result<ExitCode, Failure> {
    let text = settings::text_of(file, "a TOML file that describes a sweep")?;
    let name = |error: CompareError| {
        Failure::from(error).with_message(|problem| format!("{}: {problem}", file.display()))
    };
    let sweep = Sweep::parse(&text, &settings::checked).map_err(name)?;
    let trials = sweep.trials().map_err(name)?;
    let program = own_program()?;
    interrupt::listen()?;
    let output = runs::output(file, arguments.output.as_deref());
    let directory = SweepDirectory::open(&output, &text, arguments.shard)?;
    note_others(&directory, &trials)?;
    let mut sweeper = Sweeper::new(
        &sweep,
        &trials,
        arguments.shard,
        &directory,
        &progress::read,
    )?;
    let jobs = arguments.jobs.get();
    let runner = Runner {
        program,
        folder: output.clone(),
        jobs,
        threads: runs::threads(jobs.min(trials.len())),
    };
    let number = |progress: &Progress<'_>| match progress {
        Progress::Starts(job, _) => {
            let trial = trials.iter().find(|trial| trial.name == job.name);
            trial.map_or(String::new(), |trial| format!("trial {}", trial.number + 1))
        }
        _ => String::new(),
    };
    let stopped = sweeper.run(&runner, &interrupt::take, &mut |progress| {
        let number = number(&progress);
        runs::say_progress(&progress, &number, &output);
    })?;
    let states = sweeper.states().to_vec();
    let outcome = write(&directory, &sweep, &trials, &states)?;
    if let Some(Stopped::Signal(_)) = stopped {
        return Err(Failure::Interrupted(
            "interrupted; the same command goes on from here".into(),
        ));
    }
    print(&outcome, arguments.json)?;
    if stopped == Some(Stopped::TimeIsOver) {
        say!("the time is over; the same command goes on for as long again");
    }
    say_waiting(&sweep, &states, arguments.shard);
    say_best(&outcome, &output);
    Ok(ExitCode::from(u8::from(outcome.has_failed())))
}

fn merged(arguments: &SweepMergeArguments) -> Result<ExitCode, Failure> {
    let output = runs::output(Path::new(""), Some(&arguments.output));
    let (merged, directory) = merge(&arguments.from, &output, &progress::read)?;
    say!(
        "{} runs copied into {}",
        merged.copied.len(),
        output.display()
    );
    let sweep = Sweep::parse(&merged.text, &settings::checked)?;
    let trials = sweep.trials()?;
    let states = vec![TrialState::default(); trials.len()];
    let outcome = write(&directory, &sweep, &trials, &states)?;
    print(&outcome, arguments.json)?;
    say_best(&outcome, &output);
    Ok(ExitCode::SUCCESS)
}

/// Reads all runs, which other shards may have gone on with, and writes the results. What failed in this process is
/// in `states`.
fn write(
    directory: &SweepDirectory,
    sweep: &Sweep,
    trials: &[Trial],
    states: &[TrialState],
) -> Result<Outcome, Failure> {
    let outcome = directory.write(|| {
        let now = trials.iter().zip(states).map(|(trial, state)| {
            Ok::<_, CompareError>(TrialState {
                progress: progress::read(&directory.path().join(&trial.name))?,
                failed: state.failed.clone(),
            })
        });
        let now: Vec<TrialState> = now.collect::<Result<_, _>>()?;
        Ok(Outcome::of(sweep, trials, &now))
    })?;
    say!(
        "saved {JSON}, {CSV} and {MARKDOWN} in {}",
        directory.path().display()
    );
    Ok(outcome)
}

fn print(outcome: &Outcome, json: bool) -> Result<(), Failure> {
    match json {
        true => {
            let value = serde_json::to_value(outcome);
            print_json(value.map_err(|error| Failure::Internal(error.to_string()))?)
        }
        false => show(&sweep_table::text(outcome)),
    }
}

fn say_best(outcome: &Outcome, output: &Path) {
    let Some(best) = outcome.best_row() else {
        return;
    };
    say!("best    {}", quote_path(&output.join(&best.name)));
    say!("next    {}", train_line(&output.join(BEST)));
}

fn train_line(best: &Path) -> String {
    format!("{} train {}", shell::program(), quote_path(best))
}

/// Says which trials of other shards have to be trained before this one goes on.
fn say_waiting(sweep: &Sweep, states: &[TrialState], shard: Shard) {
    let verdicts = sweep.verdicts(states);
    let is_due = |verdict: &Verdict| matches!(verdict, Verdict::Due(_));
    let due = verdicts.iter().enumerate();
    let due = due.filter(|(number, verdict)| !shard.has(*number) && is_due(verdict));
    let is_waiting =
        |(number, verdict): (usize, &Verdict)| shard.has(number) && *verdict == Verdict::Waiting;
    if !shard.is_whole() && verdicts.iter().enumerate().any(is_waiting) {
        say!(
            "shard {shard} waits for {} trials of others; type the same command when they are done, or in the \
             merged directory",
            due.count()
        );
    }
}

fn note_others(directory: &SweepDirectory, trials: &[Trial]) -> Result<(), Failure> {
    let others = directory.others(trials)?;
    if !others.is_empty() {
        say!(
            "note: {} also has runs that are no trials of the description, which are left as they are: {}",
            directory.path().display(),
            others.join(", ")
        );
    }
    Ok(())
}
