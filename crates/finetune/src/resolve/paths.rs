//! The default paths of caches and runs, and the paths of a plan.

use std::{
    env,
    path::{Path, PathBuf},
};

use finetune_train::{DistillationPlan, TrainPlan, layout};

use crate::view::output::say;

/// The environment variables that set the directory of the token caches.
pub const TOKEN_CACHE_VARIABLES: &str = "FINETUNE_CACHE (or XDG_CACHE_HOME, or HOME)";

/// Returns the directory of the token caches: below `$FINETUNE_CACHE`, or else below `finetune` in the
/// user's cache directory.
pub fn token_cache() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    let base = set("FINETUNE_CACHE").map(PathBuf::from).or_else(|| {
        set("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(env::home_dir()?.join(".cache")))
            .map(|cache| cache.join("finetune"))
    });
    base.map(|base| base.join("tokens"))
}

/// Keeps the paths of a run's plan where those of `now` are equivalent.
pub fn keep_paths_of(saved: &TrainPlan, now: &mut TrainPlan) {
    for (now, saved) in [
        (&mut now.data.dataset, &saved.data.dataset),
        (&mut now.model.name, &saved.model.name),
    ] {
        if absolute(now) == absolute(saved) {
            now.clone_from(saved);
        }
    }
    if let (Some(now), Some(saved)) = (&mut now.model.scratch, &saved.model.scratch)
        && absolute(&now.tokenizer) == absolute(&saved.tokenizer)
    {
        now.tokenizer.clone_from(&saved.tokenizer);
    }
    if let (Some(now), Some(saved)) = (&mut now.model.adapter, &saved.model.adapter)
        && absolute(now) == absolute(saved)
    {
        now.clone_from(saved);
    }
    if let (Some(now), Some(saved)) = (&mut now.distillation, &saved.distillation) {
        keep_paths_of_teacher(saved, now);
    }
}

/// Keeps the paths of a run's teacher and of its texts without labels where those of `now` are equivalent.
fn keep_paths_of_teacher(saved: &DistillationPlan, now: &mut DistillationPlan) {
    if absolute(&now.teacher) == absolute(&saved.teacher) {
        now.teacher.clone_from(&saved.teacher);
    }
    if let (Some(now), Some(saved)) = (&mut now.unlabelled, &saved.unlabelled)
        && absolute(now) == absolute(saved)
    {
        now.clone_from(saved);
    }
}

fn absolute(path: &str) -> String {
    let absolute = std::path::absolute(path);
    absolute.map_or_else(|_| path.to_string(), |path| path.display().to_string())
}

/// Returns the output path of a plan whose run is now at `run`: unchanged if it is relative and still
/// matches, because it shows what the plan's other relative paths are relative to.
pub fn output_of(run: &Path, plan: &TrainPlan) -> String {
    let output = Path::new(&plan.saving.output);
    let matches = run.canonicalize().is_ok_and(|run| run.ends_with(output));
    match output.is_relative() && matches {
        true => plan.saving.output.clone(),
        false => run.display().to_string(),
    }
}

/// Changes to the directory in which a run was started, so that the relative paths of its plan resolve as
/// they did. Returns the run's directory, as an absolute path if the directory was changed.
pub fn enter_start_directory(run: &Path) -> PathBuf {
    let unchanged = || run.to_path_buf();
    // Opening the run reports a plan that cannot be read.
    let plan = std::fs::read_to_string(run.join(layout::PLAN)).ok();
    let plan = plan.and_then(|text| text.parse::<toml::Table>().ok());
    let output = plan.as_ref().and_then(|plan| plan.get("output")?.as_str());
    let (Ok(absolute), Some(output)) = (run.canonicalize(), output) else {
        return unchanged();
    };
    let output = Path::new(output);
    if output.is_absolute() || !absolute.ends_with(output) {
        return unchanged();
    }
    let mut start = absolute.clone();
    for _ in output.components() {
        start.pop();
    }
    let here = env::current_dir().and_then(|here| here.canonicalize()).ok();
    if here.as_ref() == Some(&start) || env::set_current_dir(&start).is_err() {
        return unchanged();
    }
    say!(
        "note: the run was started in {}, to which the paths of its plan are relative",
        start.display()
    );
    absolute
}

/// Returns the first unused path of `runs/DATASET-1`, `runs/DATASET-2`, ….
pub fn default_run(dataset: &str) -> PathBuf {
    let free = |number: &u32| !numbered_run(dataset, *number).exists();
    numbered_run(dataset, (1..).find(free).unwrap_or(u32::MAX))
}

/// Returns the first unused path of `NAME-1`, `NAME-2`, ….
pub fn numbered(name: &Path) -> PathBuf {
    let path = |number: u32| {
        let mut path = name.as_os_str().to_os_string();
        path.push(format!("-{number}"));
        PathBuf::from(path)
    };
    let free = |number: &u32| !path(*number).exists();
    path((1..).find(free).unwrap_or(u32::MAX))
}

/// Returns the last existing run of a data set with a default name.
pub fn last_run(dataset: &str) -> Option<PathBuf> {
    let runs = (1..).map(|number| numbered_run(dataset, number));
    runs.take_while(|run| run.exists()).last()
}

fn numbered_run(dataset: &str, number: u32) -> PathBuf {
    let stem = Path::new(dataset).file_stem();
    let stem: String = stem
        .map(|stem| stem.to_string_lossy())
        .unwrap_or_default()
        .chars()
        .filter(|c| c.is_alphanumeric() || "-_.".contains(*c))
        .collect();
    let name = if stem.is_empty() { "run" } else { &stem };
    Path::new("runs").join(format!("{name}-{number}"))
}
