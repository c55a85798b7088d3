//! Brings together the directories of one sweep whose shards were worked on apart.

use std::{
    fs,
    path::{Path, PathBuf},
};

use finetune_compare::{CompareError, directory::write_if_new, runner::RunState};
use finetune_files::{DirectoryLock, FileError, IoContext, publish_directory};

use crate::{
    Shard, SweepDirectory,
    directory::{DESCRIPTION, description, differences, runs},
    sweeper::ReadRun,
};

/// What has been merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The description of all directories.
    pub text: String,
    /// Names of the runs that were copied.
    pub copied: Vec<String>,
}

/// Copies the runs of `from` into the directory `to`, which may be one of them. Of a run that several have, the one
/// that has come further is taken, and of equal ones the first. The directories of `from` are left as they are.
///
/// # Errors
/// Fails with [`CompareError::Directory`] if a directory has no sweep, if their descriptions differ in more than
/// the time, or if a run is being trained; and if a file cannot be read or written. A run is copied whole or not
/// at all, so the same call goes on.
pub fn merge(
    from: &[PathBuf],
    to: &Path,
    read: ReadRun<'_>,
) -> Result<(Merged, SweepDirectory), CompareError> {
    let mut text: Option<(&Path, String)> = None;
    for path in from {
        let Some(found) = description(path)? else {
            return Err(CompareError::Directory {
                directory: path.clone(),
                problem: format!("it has no {DESCRIPTION}, so it is not the directory of a sweep"),
            });
        };
        match &text {
            None => text = Some((path, found)),
            Some((first, other)) => {
                let changed = differences(path, other, &found, &["time"])?;
                if !changed.is_empty() {
                    return Err(CompareError::Directory {
                        directory: path.clone(),
                        problem: format!(
                            "its sweep has another description than that of {}: {}; merge directories of one sweep",
                            first.display(),
                            changed.join(", ")
                        ),
                    });
                }
            }
        }
        refuse_running(path)?;
    }
    let Some((_, text)) = text else {
        return Err(CompareError::Description {
            problem: "no directories to merge".into(),
        });
    };
    let directory = SweepDirectory::open(to, &text, Shard::WHOLE)?;
    let mut copied = Vec::new();
    let target = to.canonicalize().context("read", to)?;
    for path in from {
        if path.canonicalize().context("read", path)? == target {
            continue;
        }
        for name in runs(path)? {
            if is_further(&path.join(&name), &to.join(&name), read)? {
                copy(path, to, &name)?;
                copied.push(name);
            }
        }
    }
    Ok((Merged { text, copied }, directory))
}

fn refuse_running(path: &Path) -> Result<(), CompareError> {
    for name in runs(path)? {
        let run = path.join(name);
        if DirectoryLock::is_taken(&run) {
            return Err(CompareError::Directory {
                directory: run,
                problem: "it is being trained; wait until that ends".into(),
            });
        }
    }
    Ok(())
}

/// Whether a run has come further than another one.
fn is_further(run: &Path, other: &Path, read: ReadRun<'_>) -> Result<bool, CompareError> {
    if RunState::of(other) == RunState::New {
        return Ok(true);
    }
    let order = |run: &Path| {
        let progress = read(run)?;
        Ok::<_, CompareError>((progress.is_complete, progress.done().0))
    };
    Ok(order(run)? > order(other)?)
}

/// Copies a run, with the options and the log beside it.
fn copy(from: &Path, to: &Path, name: &str) -> Result<(), CompareError> {
    for file in [format!("{name}.toml"), format!("{name}.log")] {
        let source = from.join(&file);
        if source.exists() {
            let text = fs::read_to_string(&source).context("read", &source)?;
            write_if_new(&to.join(&file), &text)?;
        }
    }
    let (source, target) = (from.join(name), to.join(name));
    if target.exists() {
        fs::remove_dir_all(&target).context("remove", &target)?;
    }
    publish_directory(&target, |partial| copy_tree(&source, partial))?;
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), FileError> {
    for entry in fs::read_dir(from).context("read", from)? {
        let entry = entry.context("read", from)?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type().context("read", &source)?.is_dir() {
            true => {
                fs::create_dir(&target).context("create", &target)?;
                copy_tree(&source, &target)?;
            }
            false => {
                fs::copy(&source, &target).context("write", &target)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Evaluation, RunProgress};

    /// A run's plan tells how many steps it has done.
    fn read(run: &Path) -> Result<RunProgress, CompareError> {
        let steps = fs::read_to_string(run.join("plan.toml")).unwrap();
        let evaluation = Evaluation {
            step: steps.parse().unwrap(),
            epoch: 0.0,
            value: None,
        };
        Ok(RunProgress {
            evaluations: vec![evaluation],
            ..RunProgress::default()
        })
    }

    fn sweep(folder: &Path, name: &str, text: &str, runs: &[(&str, u64)]) -> PathBuf {
        let path = folder.join(name);
        fs::create_dir_all(&path).unwrap();
        for (run, steps) in runs {
            fs::create_dir_all(path.join(run).join("model")).unwrap();
            fs::write(path.join(run).join("plan.toml"), steps.to_string()).unwrap();
            fs::write(path.join(run).join("model/weights"), name).unwrap();
            fs::write(path.join(format!("{run}.toml")), "a = 1\n").unwrap();
        }
        fs::write(path.join(DESCRIPTION), text).unwrap();
        path
    }

    #[test]
    fn the_run_that_has_come_further_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let text = "trials = 3\n[vary]\na = [1, 2, 3]\n";
        let one = sweep(folder.path(), "one", text, &[("a-1", 5), ("a-2", 1)]);
        let timed = format!("time = '1h'\n{text}");
        let two = sweep(folder.path(), "two", &timed, &[("a-2", 7), ("a-3", 2)]);
        let all = folder.path().join("all");
        let from = [one.clone(), two.clone()];
        let (merged, directory) = merge(&from, &all, &read).unwrap();
        drop(directory);
        assert_eq!(merged.copied, ["a-1", "a-2", "a-2", "a-3"]);
        let weights = |run: &str| fs::read_to_string(all.join(run).join("model/weights")).unwrap();
        assert_eq!(["a-1", "a-2", "a-3"].map(weights), ["one", "two", "two"]);
        assert!(all.join("a-3.toml").exists());
        // Again, there is nothing to do; and a directory can be merged into.
        assert!(merge(&from, &all, &read).unwrap().0.copied.is_empty());
        let (merged, _) = merge(&from, &one, &read).unwrap();
        assert_eq!(merged.copied, ["a-2", "a-3"]);

        let other = sweep(folder.path(), "other", &text.replace("1, 2", "1, 4"), &[]);
        let error = merge(&[one, other], &all, &read).unwrap_err().to_string();
        assert!(
            error.contains("another description") && error.contains("vary.a was"),
            "{error}"
        );
        let error = merge(&[folder.path().join("none")], &all, &read).unwrap_err();
        assert!(error.to_string().contains("has no sweep.toml"), "{error}");
    }
}
