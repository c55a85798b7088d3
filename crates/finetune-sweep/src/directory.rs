//! The directory of a sweep: the description, for each trial its options, its log and its run, and the results.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use finetune_compare::{
    CompareError,
    directory::{refuse_others, write_if_new},
    options::changes,
    runner::RunState,
};
use finetune_files::{DirectoryLock, IoContext, LockError, remove_leftovers, replace_file};
use toml::Table;

use crate::{Outcome, Shard, Trial};

/// The description.
pub const DESCRIPTION: &str = "sweep.toml";
/// Everything that is known, with every evaluation.
pub const JSON: &str = "sweep.json";
/// The table, a row per trial.
pub const CSV: &str = "sweep.csv";
/// The table for people.
pub const MARKDOWN: &str = "sweep.md";
/// The options of the best trial.
pub const BEST: &str = "best.toml";

/// How long to wait for a process that writes results.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// The directory of a sweep. One process works on a shard at a time, and either shards are worked on or the whole.
#[derive(Debug)]
pub struct SweepDirectory {
    path: PathBuf,
    /// The lock of the whole or of a shard.
    _lock: DirectoryLock,
    is_whole: bool,
}

impl SweepDirectory {
    /// Opens or creates the directory for the sweep that the description `text` stands for. Another description
    /// than before is accepted if it differs in the number of trials and the time alone.
    ///
    /// # Errors
    /// Fails if the directory has something else in it or another sweep, if another process works on the same
    /// trials, or if a file cannot be read or written.
    pub fn open(path: &Path, text: &str, shard: Shard) -> Result<Self, CompareError> {
        match description(path)? {
            None => refuse_others(path, &[DESCRIPTION, JSON], "sweep")?,
            Some(before) => {
                let changed = differences(path, &before, text, &["trials", "time"])?;
                if !changed.is_empty() {
                    return Err(CompareError::Directory {
                        directory: path.into(),
                        problem: format!(
                            "it has a sweep with another description: {}; choose another directory, or restore the \
                             description (its copy is {})",
                            changed.join(", "),
                            path.join(DESCRIPTION).display()
                        ),
                    });
                }
            }
        }
        fs::create_dir_all(path).context("create", path)?;
        let lock = match shard.is_whole() {
            true => {
                let lock = DirectoryLock::take(path)?;
                refuse_shards(path)?;
                lock
            }
            false => {
                // Whoever works on the whole keeps the lock; whoever writes results releases it soon.
                drop(take_patiently(path)?);
                let own = path.join(shard_name(shard));
                fs::create_dir_all(&own).context("create", &own)?;
                DirectoryLock::take(&own)?
            }
        };
        // Removes only what killed processes left.
        remove_leftovers(path);
        write_if_new(&path.join(DESCRIPTION), text)?;
        Ok(Self {
            path: path.into(),
            _lock: lock,
            is_whole: shard.is_whole(),
        })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file with the options of a trial.
    pub fn options(&self, trial: &Trial) -> PathBuf {
        self.path.join(format!("{}.toml", trial.name))
    }

    /// Writes the options of a trial.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn write_options(&self, trial: &Trial) -> Result<(), CompareError> {
        write_if_new(&self.options(trial), &text_of(&trial.options)?)
    }

    /// Gathers what all processes know by `gather`, and writes `sweep.json`, `sweep.csv`, `sweep.md` and, if a
    /// trial is complete, `best.toml`, each whole or not at all. Shards do this one after another, so that the
    /// last one writes what all have found.
    ///
    /// # Errors
    /// Fails if `gather` does, if another process does not finish writing, or if a file cannot be written.
    pub fn write(
        &self,
        gather: impl FnOnce() -> Result<Outcome, CompareError>,
    ) -> Result<Outcome, CompareError> {
        let _lock = match self.is_whole {
            true => None,
            false => Some(take_patiently(&self.path)?),
        };
        let outcome = gather()?;
        let mut files = vec![
            (JSON, outcome.json()?),
            (CSV, outcome.csv()?),
            (MARKDOWN, outcome.markdown()),
        ];
        if let Some(best) = outcome.best_toml()? {
            files.push((BEST, best));
        }
        for (name, text) in files {
            replace_file(&self.path.join(name), |file| {
                file.write_all(text.as_bytes())
            })?;
        }
        Ok(outcome)
    }

    /// Runs in the directory that are none of these trials, such as those of an earlier, longer description.
    ///
    /// # Errors
    /// Fails if the directory cannot be read.
    pub fn others(&self, trials: &[Trial]) -> Result<Vec<String>, CompareError> {
        let names: std::collections::BTreeSet<&str> =
            trials.iter().map(|trial| trial.name.as_str()).collect();
        let mut others = runs(&self.path)?;
        others.retain(|name| !names.contains(name.as_str()));
        Ok(others)
    }
}

/// The names of the runs that have begun in a directory, in order.
pub(crate) fn runs(path: &Path) -> Result<Vec<String>, CompareError> {
    let mut runs = Vec::new();
    for entry in fs::read_dir(path).context("read", path)? {
        let name = entry.context("read", path)?.file_name();
        if let Some(name) = name.to_str()
            && RunState::of(&path.join(name)) != RunState::New
        {
            runs.push(name.to_owned());
        }
    }
    runs.sort();
    Ok(runs)
}

/// The text of the description in a directory, if there is one.
pub(crate) fn description(path: &Path) -> Result<Option<String>, CompareError> {
    let file = path.join(DESCRIPTION);
    match file.exists() {
        true => Ok(Some(fs::read_to_string(&file).context("read", &file)?)),
        false => Ok(None),
    }
}

/// How two descriptions differ, in words, besides these keys. `path` is the directory of the first.
pub(crate) fn differences(
    path: &Path,
    before: &str,
    now: &str,
    besides: &[&str],
) -> Result<Vec<String>, CompareError> {
    let table = |text: &str| {
        let table = toml::from_str::<Table>(text);
        let mut table = table.map_err(|error| CompareError::Directory {
            directory: path.into(),
            problem: format!(
                "its {DESCRIPTION} is damaged: {}",
                error.to_string().trim_end()
            ),
        })?;
        for key in besides {
            table.remove(*key);
        }
        Ok::<Table, CompareError>(table)
    };
    Ok(changes(&table(before)?, &table(now)?))
}

/// Options as TOML.
pub(crate) fn text_of(options: &Table) -> Result<String, CompareError> {
    toml::to_string(options).map_err(|error| CompareError::Format(error.to_string()))
}

fn shard_name(shard: Shard) -> String {
    format!(".shard-{}", shard.to_string().replace('/', "-of-"))
}

/// Refuses to work on the whole while somebody works on a shard.
fn refuse_shards(path: &Path) -> Result<(), CompareError> {
    for entry in fs::read_dir(path).context("read", path)? {
        let entry = entry.context("read", path)?;
        let is_shard = entry.file_name().to_string_lossy().starts_with(".shard-");
        if is_shard && DirectoryLock::is_taken(&entry.path()) {
            // Says who it is.
            DirectoryLock::take(&entry.path())?;
        }
    }
    Ok(())
}

/// Takes the lock of the directory as soon as others have written their results.
fn take_patiently(path: &Path) -> Result<DirectoryLock, CompareError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match DirectoryLock::take(path) {
            Err(LockError::Taken { .. }) if Instant::now() < deadline => thread::sleep(PAUSE),
            other => return Ok(other?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "trials = 3\n[vary]\na = [1, 2, 3]\n";

    fn open(path: &Path, text: &str, shard: &str) -> Result<SweepDirectory, String> {
        let shard = shard.parse().unwrap();
        SweepDirectory::open(path, text, shard).map_err(|error| error.to_string())
    }

    #[test]
    fn another_description_is_refused_unless_it_is_longer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        drop(open(&path, TEXT, "1/1").unwrap());
        drop(open(&path, &TEXT.replace("= 3\n[", "= 9\ntime = '1h'\n["), "1/1").unwrap());
        let error = open(&path, &TEXT.replace("1, 2", "1, 4"), "1/1").unwrap_err();
        assert!(
            error.contains("vary.a was [1, 2, 3] and is now [1, 4, 3]"),
            "{error}"
        );
        fs::write(folder.path().join("thesis.tex"), "").unwrap();
        let error = open(folder.path(), TEXT, "1/1").unwrap_err();
        assert!(error.contains("not the directory of a sweep"), "{error}");
    }

    #[test]
    fn shards_share_the_directory_with_each_other_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let first = open(&path, TEXT, "1/2").unwrap();
        let second = open(&path, TEXT, "2/2").unwrap();
        assert!(
            open(&path, TEXT, "2/2")
                .unwrap_err()
                .contains("is in use by")
        );
        assert!(
            open(&path, TEXT, "1/1")
                .unwrap_err()
                .contains("is in use by")
        );
        drop((first, second));
        let whole = open(&path, TEXT, "1/1").unwrap();
        assert!(
            open(&path, TEXT, "1/1")
                .unwrap_err()
                .contains("is in use by")
        );
        drop(whole);
    }
}
