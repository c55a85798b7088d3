//! `finetune resume`, and `train --resume`.

use std::{path::Path, process::ExitCode};

use finetune_models::ModelConfig;
use finetune_train::{RunDirectory, SavedPlan, Start, TrainPlan};

use crate::{
    args::ResumeArguments,
    error::Failure,
    execute::{Loaded, execute, load},
    interrupt, model,
    output::{say, show},
    rows::Rows,
    settings,
};

pub fn run(arguments: &ResumeArguments) -> Result<ExitCode, Failure> {
    interrupt::listen()?;
    let (run, saved) = RunDirectory::open(&arguments.run)?;
    if run.is_complete() {
        return say_complete(&run);
    }
    let now = settings::change(saved.written()?, &arguments.set)?;
    resume(
        run,
        &saved,
        now,
        &arguments.accept,
        arguments.json,
        load_unchanged,
    )
}

/// Goes on with a run by the plan `now`, which may differ from its own in what is harmless or
/// accepted. `load` brings what that plan names.
pub fn resume(
    mut run: RunDirectory,
    saved: &SavedPlan,
    mut now: TrainPlan,
    accepted: &[String],
    json: bool,
    load: impl FnOnce(&TrainPlan) -> Result<Loaded, Failure>,
) -> Result<ExitCode, Failure> {
    if run.is_complete() {
        return say_complete(&run);
    }
    if saved.written().is_err() {
        say!("note: plan.toml is damaged, and is written anew");
    }
    if saved.trained().model_files.is_empty() {
        say!(
            "note: an earlier version began the run and kept no hashes of the base model's configuration and tokenizer, so a change there may go unnoticed"
        );
        now.model_files.clear();
    }
    // Where the run is now is no difference.
    now.output = run.path().display().to_string();
    for difference in saved.check_resumable(&now, accepted)? {
        if difference.key != "output" {
            let (key, saved, now) = (difference.key, difference.saved, difference.now);
            say!("note: {key} was {saved} and is {now} from here on");
        }
    }
    now.check()?;
    let loaded = load(&now)?;
    let start = Start::newest(&now, &run, &loaded.files.dir, &loaded.device)?;
    say!("{}", loaded.description);
    for damage in &start.damaged {
        say!("note: a newer checkpoint is passed over: {damage}");
    }
    match start.state.step {
        0 => say!(
            "resume  {}: from the beginning, there is no checkpoint",
            run.path().display()
        ),
        step => say!("resume  {}: after step {step}", run.path().display()),
    }
    say!("{}", start.prepared.trainable_line());
    execute(&now, loaded, start, &mut run)?.print(&now, &run, json);
    Ok(ExitCode::SUCCESS)
}

fn say_complete(run: &RunDirectory) -> Result<ExitCode, Failure> {
    show(&format!(
        "{} is complete; its result is in {}\n",
        run.path().display(),
        run.model().display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// All that a plan names, provided that weights and rows are what they were.
pub fn load_unchanged(plan: &TrainPlan) -> Result<Loaded, Failure> {
    let rows = Rows::choose(plan)?;
    let found = model::of_plan(plan)?;
    let files = found.clone().verify()?;
    if files.weights_sha256 != plan.model_sha256 {
        return Err(Failure::User(format!(
            "the weights of {} are not those that the run began with: their SHA-256 is {}, was {}",
            plan.model, files.weights_sha256, plan.model_sha256
        )));
    }
    // What is wrong with a configuration says more than that it is another.
    ModelConfig::from_directory(&files.dir)?;
    plan.check_model_files(&files.dir)?;
    let loaded = load(plan, &rows, found)?;
    let now = loaded.fingerprints();
    if now != plan.dataset_fingerprints {
        let names = ["training", "validation", "test"].into_iter();
        let changed: Vec<_> = names
            .enumerate()
            .filter(|(index, _)| now.get(*index) != plan.dataset_fingerprints.get(*index))
            .map(|(_, name)| name)
            .collect();
        return Err(Failure::User(format!(
            "the {} rows of {} are not those that the run began with: their texts, labels or tokenizer changed; bring them back, or start another run",
            changed.join(" and "),
            Path::new(&plan.dataset).display()
        )));
    }
    Ok(loaded)
}
