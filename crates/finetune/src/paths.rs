//! Where files go when no flag says so.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::shell::quote_path;
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
