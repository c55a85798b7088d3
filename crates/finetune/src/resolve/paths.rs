//! Where files go when no flag says so.

use std::{
    env,
    path::{Path, PathBuf},
};

use finetune_train::{TrainPlan, layout};

use crate::view::{output::say, shell::quote_path};

/// What decides where the token caches are.
pub const TOKEN_CACHE_VARIABLES: &str = "FINETUNE_CACHE (or XDG_CACHE_HOME, or HOME)";

/// Folder of the token caches: `$FINETUNE_CACHE`, else `finetune` in the user's cache folder.
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

/// The paths of a run's plan, where those of `now` lead to the same.
pub fn keep_paths_of(saved: &TrainPlan, now: &mut TrainPlan) {
    for (now, saved) in [
        (&mut now.data.dataset, &saved.data.dataset),
        (&mut now.model.name, &saved.model.name),
    ] {
        if absolute(now) == absolute(saved) {
            now.clone_from(saved);
        }
    }
    if let (Some(now), Some(saved)) = (&mut now.model.adapter, &saved.model.adapter)
        && absolute(now) == absolute(saved)
    {
        now.clone_from(saved);
    }
}

fn absolute(path: &str) -> String {
    let absolute = std::path::absolute(path);
    absolute.map_or_else(|_| path.to_string(), |path| path.display().to_string())
}

/// The output of a plan for a run that is at `run` now: as it was, if that can still be told from where
/// the run is, because other relative paths stand against the same folder.
pub fn output_of(run: &Path, plan: &TrainPlan) -> String {
    let was = Path::new(&plan.saving.output);
    let is_there = run.canonicalize().is_ok_and(|run| run.ends_with(was));
    match was.is_relative() && is_there {
        true => plan.saving.output.clone(),
        false => run.display().to_string(),
    }
}

/// Goes to the folder in which a run began, so that the relative paths of its plan mean what they did.
/// The run's directory is given back as an absolute path where that was done.
pub fn go_where_it_began(run: &Path) -> PathBuf {
    let stays = || run.to_path_buf();
    // A plan that cannot be read is refused by who opens the run.
    let plan = std::fs::read_to_string(run.join(layout::PLAN)).ok();
    let plan = plan.and_then(|text| text.parse::<toml::Table>().ok());
    let output = plan.as_ref().and_then(|plan| plan.get("output")?.as_str());
    let (Ok(absolute), Some(output)) = (run.canonicalize(), output) else {
        return stays();
    };
    let output = Path::new(output);
    if output.is_absolute() || !absolute.ends_with(output) {
        return stays();
    }
    let mut began = absolute.clone();
    for _ in output.components() {
        began.pop();
    }
    let here = env::current_dir().and_then(|here| here.canonicalize()).ok();
    if here.as_ref() == Some(&began) || env::set_current_dir(&began).is_err() {
        return stays();
    }
    say!(
        "note: the run began in {}, against which the paths of its plan stand",
        began.display()
    );
    absolute
}

/// The first free of `runs/DATASET-1`, `runs/DATASET-2`, ….
pub fn default_run(dataset: &str) -> PathBuf {
    let free = |number: &u32| !numbered_run(dataset, *number).exists();
    numbered_run(dataset, (1..).find(free).unwrap_or(u32::MAX))
}

/// The first free of `NAME-1`, `NAME-2`, ….
pub fn numbered(name: &Path) -> PathBuf {
    let path = |number: u32| {
        let mut path = name.as_os_str().to_os_string();
        path.push(format!("-{number}"));
        PathBuf::from(path)
    };
    let free = |number: &u32| !path(*number).exists();
    path((1..).find(free).unwrap_or(u32::MAX))
}

/// The last of those that exist.
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

/// This program for lines to type next: as it was called, below the current folder by its relative
/// path, quoted for a shell.
pub fn program() -> String {
    let name = env::args_os().next().unwrap_or_else(|| "finetune".into());
    let path = Path::new(&name);
    let here = env::current_dir().unwrap_or_default();
    quote_path(path.strip_prefix(here).unwrap_or(path))
}
