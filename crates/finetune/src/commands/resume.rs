//! `finetune resume` and `train --resume`: resume a run.

use std::{ffi::OsString, path::Path, process::ExitCode};

use finetune_hub::FoundModel;
use finetune_models::{MaskedLm, SequenceClassifier};
use finetune_train::{BaseModel, RunDirectory, SavedPlan, Start, TrainPlan, TrainedModel, layout};

use crate::{
    cli::{args::ResumeArguments, interrupt, settings},
    commands::{
        adapt::adapted,
        execute::{RunModel, execute, fresh_start, resume_line},
        supervise::{end_with_parent, supervise},
    },
    error::Failure,
    resolve::{
        loaded::{Loaded, load},
        model, paths,
        rows::Rows,
        special_files,
    },
    view::output::{say, show},
};

/// Resumes a run.
///
/// # Errors
/// Fails if the run cannot be resumed with these options, or if training fails.
pub fn run(arguments: &ResumeArguments) -> Result<ExitCode, Failure> {
    interrupt::listen()?;
    special_files::refuse_in(&arguments.run)?;
    let path = paths::enter_start_directory(&arguments.run);
    refuse_adaptation(&path)?;
    let (run, saved) = RunDirectory::open(&path)?;
    if run.is_complete() {
        return say_complete(&run, &saved);
    }
    let now = settings::change(saved.written()?, &arguments.set)?;
    if arguments.worker {
        end_with_parent();
    } else if now.optimization.auto_find_batch_size {
        let mut compared = now;
        compared.saving.output = saved.trained().saving.output.clone();
        saved.check_resumable(&compared, &arguments.accept)?;
        drop(run);
        return supervise(&path, &worker_options(arguments));
    }
    resume(run, &saved, now, arguments, load_unchanged)
}

/// Refuses the unfinished adaptation inside another run, which has its texts, and resumes it.
///
/// # Errors
/// Fails if `path` is such a run.
pub fn refuse_adaptation(path: &Path) -> Result<(), Failure> {
    let Some(whole) = layout::adapted_run(path) else {
        return Ok(());
    };
    if layout::is_complete(path) || !layout::has_begun(path) {
        return Ok(());
    }
    Err(Failure::User(format!(
        "{} is the adaptation of the run {}, which resumes it; type\n  {}",
        path.display(),
        whole.display(),
        resume_line(&whole)
    )))
}

/// Returns the options of the training process.
fn worker_options(arguments: &ResumeArguments) -> Vec<OsString> {
    let set = arguments.set.iter().flat_map(|set| ["--set", set]);
    let accept = arguments.accept.iter().flat_map(|key| ["--accept", key]);
    let json = Some("--json").filter(|_| arguments.json);
    let words = set.chain(accept).chain(json).map(OsString::from);
    words.chain(arguments.pause.options()).collect()
}

/// Resumes a run with the plan `now`, which may differ from the saved plan in harmless or accepted keys.
/// `load` loads the model and rows of that plan.
///
/// # Errors
/// Fails if the plans differ otherwise, or if training fails.
pub fn resume(
    run: RunDirectory,
    saved: &SavedPlan,
    mut now: TrainPlan,
    arguments: &ResumeArguments,
    load: impl FnOnce(&TrainPlan) -> Result<Loaded, Failure>,
) -> Result<ExitCode, Failure> {
    if run.is_complete() {
        return say_complete(&run, saved);
    }
    if saved.written().is_err() {
        say!("note: plan.toml is damaged and is rewritten");
    }
    if saved.trained().model.files.is_empty() {
        say!(
            "note: the run was started by an earlier version, which recorded no hashes of the base model's configuration and tokenizer, so changes to them may go unnoticed"
        );
        now.model.files.clear();
    }
    // A moved run is not a difference.
    now.saving.output = paths::output_of(run.path(), saved.trained());
    for difference in saved.check_resumable(&now, &arguments.accept)? {
        if difference.key != "output" {
            let (key, saved, now) = (difference.key, difference.saved, difference.now);
            say!("note: {key} was {saved} and is {now} from here on");
        }
    }
    now.check()?;
    let loaded = load(&now)?;
    match now.pretraining {
        None => go_on::<SequenceClassifier>(run, now, loaded, arguments),
        Some(_) => go_on::<MaskedLm>(run, now, loaded, arguments),
    }
}

/// Trains from the newest checkpoint on.
fn go_on<M: RunModel>(
    mut run: RunDirectory,
    now: TrainPlan,
    loaded: Loaded,
    arguments: &ResumeArguments,
) -> Result<ExitCode, Failure> {
    let base = adapted(&now, &loaded, &mut run)?;
    let start = Start::<M>::newest(&now, &run, &base, &loaded.device)?;
    let start = match start.state.step {
        0 if arguments.worker => fresh_start(&loaded, start.prepared),
        _ => resumed_start(start, &loaded, &run),
    };
    if arguments.list_trainable {
        say!("  {}", start.prepared.names.join("\n  "));
    }
    let end = execute(&now, loaded, start, &mut run, arguments.pause.point())?;
    end.print(&now, &run, arguments.json);
    Ok(ExitCode::SUCCESS)
}

/// Prints the model and rows, and where the run resumes.
fn resumed_start<M: TrainedModel>(
    start: Start<M>,
    loaded: &Loaded,
    run: &RunDirectory,
) -> Start<M> {
    say!("{}", loaded.description);
    for damage in &start.damaged {
        say!("note: a newer checkpoint is skipped: {damage}");
    }
    let from = match start.state.step {
        0 => "from the beginning, because there is no checkpoint".to_string(),
        step => format!("after step {step}"),
    };
    say!("resume  {}: {from}", run.path().display());
    say!("{}", start.prepared.trainable_line());
    start
}

fn say_complete(run: &RunDirectory, saved: &SavedPlan) -> Result<ExitCode, Failure> {
    let is_best = saved.trained().evaluation.load_best_model_at_end;
    if let Some((file, checkpoint)) = run.changed_model().filter(|_| is_best) {
        say!(
            "note: {} is not the file that the run saved; {} still has it",
            file.display(),
            checkpoint.display()
        );
    }
    show(&format!(
        "{} is complete; its result is in {}\n",
        run.path().display(),
        run.model().display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Loads the model and rows of a plan, provided that they are unchanged.
///
/// # Errors
/// Fails if weights, configuration or rows have changed, or if they cannot be loaded.
pub fn load_unchanged(plan: &TrainPlan) -> Result<Loaded, Failure> {
    let rows = Rows::choose(plan)?;
    let found = model::of_plan(plan)?;
    let base = unchanged_base(plan, &found).map_err(|error| {
        if !found.dir.ends_with(layout::INITIAL) {
            return error;
        }
        error.with_message(|message| {
            let initial = found.dir.display();
            format!("{message}\nThe run began with its own model in {initial}; remove that directory, and it is made again")
        })
    })?;
    let loaded = load(plan, &rows, found, base)?;
    plan.check_fingerprints(&loaded.data.fingerprints())?;
    Ok(loaded)
}

/// Opens the base model of a plan, provided that its files are unchanged.
fn unchanged_base(plan: &TrainPlan, found: &FoundModel) -> Result<BaseModel, Failure> {
    let files = found.clone().verify()?;
    if files.weights_sha256 != plan.model.sha256 {
        return Err(Failure::User(format!(
            "the weights of {} are not those that the run started with: their SHA-256 is {}, but was {}",
            plan.model.name, files.weights_sha256, plan.model.sha256
        )));
    }
    // An error in a configuration says more than that it has changed.
    let base = BaseModel::open(&files.dir)?;
    plan.model.check_files(&files.dir)?;
    Ok(base)
}
