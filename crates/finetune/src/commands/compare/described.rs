//! Makes the runs that a file describes, and compares them.

use std::path::{Path, PathBuf};

use finetune_compare::{
    Comparison, ComparisonDirectory, Description, Group, PlannedRun, Variant,
    runner::{End, Goal, Job, Progress, RunState, Runner, reason},
    table::{Failed, Incomplete},
};

use super::{run_facts, write};
use crate::{
    cli::{args::CompareArguments, interrupt, settings},
    commands::runs,
    error::Failure,
    view::output::say,
};

/// Makes or resumes the runs, and compares those that are complete.
///
/// # Errors
/// Fails if the description is wrong, if the directory has other runs, or if a process cannot be started.
pub fn compare(file: &Path, arguments: &CompareArguments) -> Result<Comparison, Failure> {
    let text = settings::text_of(file, "a TOML file that describes variants")?;
    let description = Description::parse(&text, &settings::checked).map_err(|error| {
        Failure::from(error).with_message(|problem| format!("{}: {problem}", file.display()))
    })?;
    let variants = description.variants();
    let planned: Vec<&PlannedRun> = variants.iter().flat_map(|variant| &variant.runs).collect();
    let program = runs::own_program()?;
    interrupt::listen()?;
    let output = runs::output(file, arguments.output.as_deref());
    let directory = ComparisonDirectory::open(&output, &text, &planned)?;
    note_others(&directory, &planned)?;
    let jobs: Vec<Job> = planned.iter().map(|run| job(&directory, run)).collect();
    let runner = Runner {
        program,
        folder: output,
        jobs: arguments.jobs.get(),
        threads: runs::threads(arguments.jobs.get().min(jobs.len())),
    };
    let ends = make(&runner, &jobs)?;
    if ends.iter().any(|end| matches!(end, End::Stopped(_))) {
        return Err(Failure::Interrupted(
            "interrupted; the same command goes on from here".into(),
        ));
    }
    let groups = groups(&directory, &variants, &ends)?;
    let metric = arguments
        .metric
        .as_deref()
        .or(description.metric.as_deref());
    let mut comparison = Comparison::of(groups, metric)?;
    if arguments.jobs.get() > 1 {
        comparison.legend.push(format!(
            "{} runs at a time shared the processor, so times and speeds are not those of a run alone.",
            arguments.jobs
        ));
    }
    write(&comparison, &directory)?;
    Ok(comparison)
}

fn job(directory: &ComparisonDirectory, run: &PlannedRun) -> Job {
    let path = |path: PathBuf| path.display().to_string();
    Job {
        name: run.name.clone(),
        goal: Goal::Run,
        arguments: vec![
            "train".into(),
            path(directory.options(&run.name)),
            "--output".into(),
            path(directory.path().join(&run.name)),
        ],
        always: Vec::new(),
    }
}

fn note_others(directory: &ComparisonDirectory, runs: &[&PlannedRun]) -> Result<(), Failure> {
    let others = directory.others(runs)?;
    if !others.is_empty() {
        say!(
            "note: {} also has runs that the description does not have, which are left as they are: {}",
            directory.path().display(),
            others.join(", ")
        );
    }
    Ok(())
}

fn make(runner: &Runner, jobs: &[Job]) -> Result<Vec<End>, Failure> {
    let number = |job: &Job| 1 + jobs.iter().position(|other| other == job).unwrap_or(0);
    let ends = runner.run(jobs, &interrupt::take, &mut |progress| {
        let which = match progress {
            Progress::Starts(job, _) => format!("{} of {}", number(job), jobs.len()),
            _ => String::new(),
        };
        runs::say_progress(&progress, &which, &runner.folder);
    })?;
    Ok(ends)
}

/// Reads what the runs have left.
fn groups(
    directory: &ComparisonDirectory,
    variants: &[Variant],
    ends: &[End],
) -> Result<Vec<Group>, Failure> {
    let mut ends = ends.iter();
    let mut groups = Vec::with_capacity(variants.len());
    for variant in variants {
        let mut group = Group {
            name: variant.name.clone(),
            settings: variant.settings.clone(),
            runs: Vec::new(),
            incomplete: Vec::new(),
        };
        for (run, end) in variant.runs.iter().zip(&mut ends) {
            let path = directory.path().join(&run.name);
            let reason = match end {
                End::Failed { code, output } => Failed::Failed {
                    code: *code,
                    message: reason(output).to_owned(),
                },
                _ if RunState::of(&path) == RunState::Complete => {
                    let mut facts = run_facts::read(&path, &run.name)?;
                    // The plan may have drawn fewer rows than the description asks for.
                    facts.train_rows = facts.train_rows.or(variant.rows);
                    group.runs.push(facts);
                    continue;
                }
                _ => Failed::Pending,
            };
            group.incomplete.push(Incomplete {
                name: run.name.clone(),
                reason,
            });
        }
        groups.push(group);
    }
    Ok(groups)
}
