//! `finetune replay`: repeats a run and compares the results.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use finetune_files::ErrorKind;
use finetune_models::{MaskedLm, SequenceClassifier};
use finetune_train::{MachineFacts, Manifest, ModelFacts, RunDirectory, TrainPlan, layout};
use serde_json::json;

use crate::{
    cli::{args::ReplayArguments, interrupt},
    commands::{
        adapt::adapted,
        execute::{RunModel, execute, fresh_start},
        program::program,
        resume::load_unchanged,
    },
    error::Failure,
    resolve::{loaded::Loaded, paths, special_files},
    view::{
        output::{print_json, say, show},
        run_comparison::{Compared, compare},
        shell,
    },
};

/// Repeats a run; the exit code is 1 if the results differ.
///
/// # Errors
/// Fails if the run is incomplete or its files have changed, or if training fails.
pub fn run(arguments: &ReplayArguments) -> Result<ExitCode, Failure> {
    interrupt::listen()?;
    special_files::refuse_in(&arguments.run)?;
    let output = arguments.output.as_ref().map(std::path::absolute);
    let output = output.transpose().map_err(|error| {
        let problem = format!("cannot resolve --output: {error}");
        Failure::of(ErrorKind::of(&error), problem)
    })?;
    let first = &paths::enter_start_directory(&arguments.run);
    let (original, saved) = RunDirectory::read(first)?;
    if let Some(whole) = layout::adapted_run(first) {
        return Err(Failure::User(format!(
            "{} is the adaptation of the run {}, which has its texts and repeats it; type\n  {} replay {}",
            first.display(),
            whole.display(),
            shell::program(),
            shell::quote_path(&whole)
        )));
    }
    if !original.is_complete() {
        return Err(Failure::User(format!(
            "{} is incomplete, so there is nothing to compare with; finish it with\n  {} resume {}",
            first.display(),
            shell::program(),
            first.display()
        )));
    }
    let output = match output {
        Some(output) => output,
        None => paths::numbered(&with_suffix(first, "-replay")),
    };
    let written = saved.written()?;
    saved.check_resumable(written, &[])?;
    let mut run = RunDirectory::create(&output)?;
    let mut plan = written.clone();
    plan.saving.output = run.path().display().to_string();
    let manifest = Manifest::read(first)?;
    let loaded = load_unchanged(&plan)?;
    if let Some(manifest) = &manifest {
        check_unchanged(manifest, &plan, &loaded)?;
        note_differences(manifest, &plan);
    }
    match plan.pretraining {
        None => repeat::<SequenceClassifier>(&plan, loaded, &mut run)?,
        Some(_) => repeat::<MaskedLm>(&plan, loaded, &mut run)?,
    }

    let compared = compare(first, run.path())?;
    let equal = compared.iter().all(|aspect| aspect.difference.is_none());
    match arguments.json {
        true => print_json(as_json(&compared, equal, &run))?,
        false => show(&table(&compared, equal, first, run.path()))?,
    }
    Ok(ExitCode::from(u8::from(!equal)))
}

/// Trains by a plan in a new run.
fn repeat<M: RunModel>(
    plan: &TrainPlan,
    loaded: Loaded,
    run: &mut RunDirectory,
) -> Result<(), Failure> {
    let base = adapted(plan, &loaded, run)?;
    let prepared = M::prepare(plan, &base, &loaded.device)?;
    let start = fresh_start(&loaded, prepared);
    execute(plan, loaded, start, run, None).map(drop)
}

/// Checks that the files are those of the run.
fn check_unchanged(manifest: &Manifest, plan: &TrainPlan, loaded: &Loaded) -> Result<(), Failure> {
    let model = ModelFacts::of(plan, loaded.files.revision.clone(), &loaded.data)?;
    let files = loaded.data.files()?;
    let recorded = &manifest.model;
    let mut changed = Vec::new();
    let mut compare = |what: String, recorded: &str, current: &str| {
        if recorded != current {
            changed.push(format!(
                "{what}: its SHA-256 is {current}, but was {recorded}"
            ));
        }
    };
    compare(
        "the tokenizer".into(),
        &recorded.tokenizer_sha256,
        &model.tokenizer_sha256,
    );
    if let (Some(recorded), Some(current)) = (&recorded.adapter_sha256, &model.adapter_sha256) {
        let adapter = plan.model.adapter.as_deref().unwrap_or_default();
        compare(format!("the adapter {adapter}"), recorded, current);
    }
    for recorded in &manifest.data {
        match files.iter().find(|file| file.path == recorded.path) {
            Some(current) => compare(
                recorded.path.display().to_string(),
                &recorded.sha256,
                &current.sha256,
            ),
            None => compare(
                recorded.path.display().to_string(),
                &recorded.sha256,
                "none, because it is missing",
            ),
        }
    }
    match changed.is_empty() {
        true => Ok(()),
        false => Err(Failure::User(format!(
            "the run cannot be repeated, because its files have changed since:\n  {}\nRestore them, or train again",
            changed.join("\n  ")
        ))),
    }
}

/// Prints notes on changes of program and machine, which may explain different results.
fn note_differences(manifest: &Manifest, plan: &TrainPlan) {
    let Some(session) = manifest.sessions.first() else {
        return;
    };
    let (program, machine) = (program(), MachineFacts::here(&plan.model.device));
    let recorded = &session.program;
    if *recorded != program {
        say!(
            "note: the run was made by version {} (commit {}); this is version {} (commit {})",
            recorded.version,
            recorded.git_commit,
            program.version,
            program.git_commit
        );
    }
    if session.machine != machine {
        say!(
            "note: the run was made on another machine ({}, {} threads), so the last bits may differ",
            session.machine.cpu,
            session.machine.threads
        );
    }
}

fn with_suffix(run: &Path, suffix: &str) -> PathBuf {
    let mut name = run.file_name().unwrap_or_default().to_os_string();
    name.push(suffix);
    run.with_file_name(name)
}

fn as_json(compared: &[Compared], equal: bool, run: &RunDirectory) -> serde_json::Value {
    let mut all = json!({"equal": equal, "output": run.path().display().to_string()});
    for aspect in compared {
        let difference = &aspect.difference;
        all[aspect.what] = json!({"equal": difference.is_none(), "difference": difference});
    }
    all
}

fn table(compared: &[Compared], equal: bool, first: &Path, second: &Path) -> String {
    let mut text = format!("\n{} and {}\n\n", first.display(), second.display());
    for aspect in compared {
        let verdict = match &aspect.difference {
            None => "equal".to_string(),
            Some(place) => format!("different; the first difference is {place}"),
        };
        text += &format!("{:8}  {}: {verdict}\n", aspect.what, aspect.extent);
    }
    text + match equal {
        true => "\nThe replay is bit-identical.\n",
        false => "\nThe replay differs.\n",
    }
}
