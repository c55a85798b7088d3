//! The directory of a comparison: a description, and for each run its options, its log and the run itself.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use finetune_files::{
    DirectoryLock, FileError, IoContext, is_partial, remove_leftovers, replace_file,
};
use toml::Table;

use crate::{CompareError, Comparison, PlannedRun, options::changes, runner::RunState};

/// The description that the directory was last filled from.
pub const DESCRIPTION: &str = "compare.toml";
/// The whole comparison, with every run.
pub const JSON: &str = "compare.json";
/// The table, a row per variant.
pub const CSV: &str = "compare.csv";
/// The table for people.
pub const MARKDOWN: &str = "compare.md";
/// The file that [`DirectoryLock`] creates.
const LOCK: &str = ".lock";
/// Files that results without a description leave.
const RESULTS: [&str; 3] = [JSON, CSV, MARKDOWN];

/// The directory of a comparison, which one process at a time can hold.
#[derive(Debug)]
pub struct ComparisonDirectory {
    path: PathBuf,
    _lock: DirectoryLock,
}

impl ComparisonDirectory {
    /// Opens or creates the directory for these runs, which the description `text` stands for. The options of
    /// every run are written to `NAME.toml`. Another description than before is accepted if the runs that have
    /// begun have the same options in it, as when variants or seeds are added.
    ///
    /// # Errors
    /// Fails if the directory has something else in it, if a run in it has begun with other options, if another
    /// process holds it, or if a file cannot be read or written. Nothing in it is changed then.
    pub fn open(path: &Path, text: &str, runs: &[&PlannedRun]) -> Result<Self, CompareError> {
        let is_ours = path.join(DESCRIPTION).exists();
        let directory = Self::take(path, &[DESCRIPTION], is_ours)?;
        directory.check(runs)?;
        // Removes only what killed processes left.
        remove_leftovers(path);
        for run in runs {
            let options = toml::to_string(&run.options)
                .map_err(|error| CompareError::Format(error.to_string()))?;
            write_if_new(&directory.options(&run.name), &options)?;
        }
        write_if_new(&path.join(DESCRIPTION), text)?;
        Ok(directory)
    }

    /// Opens or creates a directory for the results alone, of runs that lie elsewhere.
    ///
    /// # Errors
    /// Fails if the directory has something else in it, or if it cannot be created or locked.
    pub fn of_results(path: &Path) -> Result<Self, CompareError> {
        if path.join(DESCRIPTION).exists() {
            return Err(CompareError::Directory {
                directory: path.into(),
                problem: format!(
                    "it has the comparison of a description ({DESCRIPTION}), whose results would be lost; \
                     choose another directory"
                ),
            });
        }
        Self::take(path, &RESULTS, false)
    }

    fn take(path: &Path, allowed: &[&str], is_ours: bool) -> Result<Self, CompareError> {
        if !is_ours {
            refuse_others(path, allowed, "comparison")?;
        }
        fs::create_dir_all(path).context("create", path)?;
        Ok(Self {
            path: path.into(),
            _lock: DirectoryLock::take(path)?,
        })
    }

    /// Checks that the runs that have begun have the options that they have now.
    fn check(&self, runs: &[&PlannedRun]) -> Result<(), CompareError> {
        for run in runs {
            if RunState::of(&self.path.join(&run.name)) == RunState::New {
                continue;
            }
            let file = self.options(&run.name);
            let problem = |problem: String| CompareError::Directory {
                directory: self.path.clone(),
                problem,
            };
            let text = match fs::read_to_string(&file) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(problem(format!(
                        "the run {0} is there, but not its options in {0}.toml, so that it could be another \
                         one; rename or remove it",
                        run.name
                    )));
                }
                Err(error) => return Err(FileError::new("read", &file, error).into()),
            };
            let begun: Table = toml::from_str(&text).map_err(|error| {
                problem(format!(
                    "{}.toml is damaged ({}); remove it and the run {}, which is then trained again",
                    run.name,
                    error.to_string().trim_end(),
                    run.name
                ))
            })?;
            let changed = changes(&begun, &run.options);
            if !changed.is_empty() {
                return Err(problem(format!(
                    "the run {} has begun with other options: {}; choose another directory, restore the \
                     description (its copy is {}), or remove the run",
                    run.name,
                    changed.join(", "),
                    self.path.join(DESCRIPTION).display()
                )));
            }
        }
        Ok(())
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file with the options of a run.
    pub fn options(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.toml"))
    }

    /// Directories of runs that are in none of these, such as those of variants that have been removed from the
    /// description.
    ///
    /// # Errors
    /// Fails if the directory cannot be read.
    pub fn others(&self, runs: &[&PlannedRun]) -> Result<Vec<String>, CompareError> {
        let mut others = Vec::new();
        for entry in fs::read_dir(&self.path).context("read", &self.path)? {
            let name = entry.context("read", &self.path)?.file_name();
            let Some(name) = name.to_str() else {
                continue;
            };
            let is_run = RunState::of(&self.path.join(name)) != RunState::New;
            if is_run && !runs.iter().any(|run| run.name == name) {
                others.push(name.to_owned());
            }
        }
        others.sort();
        Ok(others)
    }

    /// Writes `compare.json`, `compare.csv` and `compare.md`, each whole or not at all.
    ///
    /// # Errors
    /// Fails if a file cannot be written.
    pub fn write(&self, comparison: &Comparison) -> Result<(), CompareError> {
        let json = comparison.json()?;
        let files = [
            (JSON, json),
            (CSV, comparison.csv()?),
            (MARKDOWN, comparison.markdown()),
        ];
        for (name, text) in files {
            replace_file(&self.path.join(name), |file| {
                file.write_all(text.as_bytes())
            })?;
        }
        Ok(())
    }
}

/// Refuses a directory that has something else in it than these files, of which the first marks one of `what`.
///
/// # Errors
/// Fails with [`CompareError::Directory`] if it does, or if it is a file or cannot be read.
pub fn refuse_others(path: &Path, allowed: &[&str], what: &str) -> Result<(), CompareError> {
    let problem = |problem: String| CompareError::Directory {
        directory: path.into(),
        problem,
    };
    if !path.exists() {
        return Ok(());
    }
    if !path.is_dir() {
        return Err(problem("it is a file; name a directory".into()));
    }
    for entry in fs::read_dir(path).context("read", path)? {
        let name = entry.context("read", path)?.file_name();
        let is_known = allowed.iter().any(|known| name == *known);
        if !is_known && !is_partial(&name) && name != LOCK {
            return Err(problem(format!(
                "it is not the directory of a {what}, since it has {} but no {}; choose another directory",
                name.display(),
                allowed[0]
            )));
        }
    }
    Ok(())
}

/// Writes a file whole, unless it has this content.
///
/// # Errors
/// Fails if the file cannot be written.
pub fn write_if_new(path: &Path, text: &str) -> Result<(), CompareError> {
    if fs::read(path).is_ok_and(|found| found == text.as_bytes()) {
        return Ok(());
    }
    Ok(replace_file(path, |file| file.write_all(text.as_bytes()))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Description;

    fn open(path: &Path, text: &str) -> Result<ComparisonDirectory, String> {
        let variants = Description::parse(text, &|table| Ok(table))
            .unwrap()
            .variants();
        let runs: Vec<_> = variants.iter().flat_map(|variant| &variant.runs).collect();
        ComparisonDirectory::open(path, text, &runs).map_err(|error| error.to_string())
    }

    const TEXT: &str = "[base]\nepochs = 1\nlora.r = 4\n[variants.a]\n[variants.b]\n";

    #[test]
    fn a_changed_description_is_refused_unless_the_runs_still_fit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        open(&path, TEXT).unwrap();
        // Nothing has begun, so anything fits.
        open(&path, &TEXT.replace("epochs = 1", "epochs = 2")).unwrap();
        open(&path, TEXT).unwrap();
        fs::create_dir(path.join("a")).unwrap();
        fs::write(path.join("a/plan.toml"), "").unwrap();
        open(&path, TEXT).unwrap();
        open(&path, &format!("{TEXT}[variants.c]\n")).unwrap();
        let before = fs::read_to_string(path.join(DESCRIPTION)).unwrap();
        let other = TEXT
            .replace("epochs = 1", "epochs = 2")
            .replace("lora.r = 4", "lora.r = 8");
        let error = open(&path, &other).unwrap_err();
        for words in [
            "the run a has begun",
            "epochs was 1 and is now 2",
            "lora.r was 4 and is now 8",
        ] {
            assert!(error.contains(words), "{error}");
        }
        assert_eq!(fs::read_to_string(path.join(DESCRIPTION)).unwrap(), before);
        // One that has lost its options could be anything.
        fs::remove_file(path.join("a.toml")).unwrap();
        let error = open(&path, TEXT).unwrap_err();
        assert!(error.contains("but not its options in a.toml"), "{error}");
        fs::write(path.join("a.toml"), "epochs = ").unwrap();
        assert!(open(&path, TEXT).unwrap_err().contains("a.toml is damaged"));
    }

    #[test]
    fn a_directory_of_something_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.tex"), "").unwrap();
        let error = open(folder.path(), TEXT).unwrap_err();
        assert!(
            error.contains("it has thesis.tex but no compare.toml"),
            "{error}"
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let error = open(&folder.path().join("thesis.tex"), TEXT).unwrap_err();
        assert!(error.contains("it is a file"), "{error}");

        let path = folder.path().join("out");
        let held = open(&path, TEXT).unwrap();
        assert!(open(&path, TEXT).unwrap_err().contains("is in use by"));
        drop(held);
        let error = ComparisonDirectory::of_results(&path)
            .unwrap_err()
            .to_string();
        assert!(error.contains("whose results would be lost"), "{error}");
    }

    #[test]
    fn runs_of_removed_variants_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let directory = open(&path, TEXT).unwrap();
        for name in ["a", "z"] {
            fs::create_dir(path.join(name)).unwrap();
            fs::write(path.join(name).join("plan.toml"), "").unwrap();
        }
        let variants = Description::parse(TEXT, &|table| Ok(table))
            .unwrap()
            .variants();
        let runs: Vec<_> = variants.iter().flat_map(|variant| &variant.runs).collect();
        assert_eq!(directory.others(&runs).unwrap(), ["z"]);
    }
}
