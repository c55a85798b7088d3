//! The plan of an existing run, as `plan.toml` has it now and as the run was trained.

use std::{
    fs,
    path::{Path, PathBuf},
};

use finetune_checkpoint::{Checkpoint, CheckpointDirectory};
use finetune_data::shell_word;
use finetune_files::IoContext;
use toml::Table;

use crate::{
    Difference, Manifest, TrainError, TrainPlan,
    layout::{CHECKPOINTS, PLAN},
    plan::comparison::differences,
};

/// The plan of a run. `plan.toml` can be edited, truncated or damaged, and then no longer says how the
/// run was trained; `manifest.json` and every checkpoint say so, with checksums.
#[derive(Debug)]
pub struct SavedPlan {
    /// `plan.toml`.
    path: PathBuf,
    /// The content of `plan.toml`, or what is wrong with it.
    written: Result<TrainPlan, String>,
    /// The plan that the run was trained with.
    trained: TrainPlan,
}

impl SavedPlan {
    /// Reads the plan of a run directory.
    pub(crate) fn read(run: &Path) -> Result<Self, TrainError> {
        let path = run.join(PLAN);
        let no_run = |problem: String| TrainError::NoRun {
            path: run.into(),
            problem,
        };
        let bytes = fs::read(&path).context("read", &path)?;
        let text = String::from_utf8_lossy(&bytes);
        let written = toml::from_str::<TrainPlan>(&text).map_err(|error| error.to_string());
        let manifest = Manifest::read(run).ok().flatten();
        let manifest = manifest.and_then(Manifest::verified_plan);
        // Usually the two agree, and no checkpoint has to be read.
        if let (Ok(written), Some(manifest)) = (&written, &manifest)
            && written == manifest
        {
            return Ok(Self::unchanged(path, written.clone()));
        }
        let checkpoint = checkpoint_plan(&run.join(CHECKPOINTS));
        let written = match written {
            // A session that changed the plan was killed after it had written the manifest.
            Ok(written) if checkpoint.as_ref() == Some(&written) => {
                return Ok(Self::unchanged(path, written));
            }
            Ok(written) => Ok(written),
            Err(problem) => Err(problem),
        };
        match (manifest.or(checkpoint), written) {
            (Some(trained), written) => Ok(Self {
                written: written.map_err(|problem| damaged(&path, &text, &trained, &problem)),
                trained,
                path,
            }),
            // The run was killed right after its start, so it was not trained with any other plan.
            (None, Ok(written)) => Ok(Self::unchanged(path, written)),
            (None, Err(problem)) => Err(no_run(format!("{PLAN}: {problem}"))),
        }
    }

    fn unchanged(path: PathBuf, plan: TrainPlan) -> Self {
        Self {
            path,
            written: Ok(plan.clone()),
            trained: plan,
        }
    }

    /// Returns the plan that the run has been trained with so far.
    pub fn trained(&self) -> &TrainPlan {
        &self.trained
    }

    /// Returns the plan in `plan.toml`.
    ///
    /// # Errors
    /// Fails with [`TrainError::Damaged`] if the file is not a plan.
    pub fn written(&self) -> Result<&TrainPlan, TrainError> {
        let written = self.written.as_ref();
        written.map_err(|problem| TrainError::Damaged {
            path: self.path.clone(),
            problem: problem.clone(),
        })
    }

    /// Returns the permitted differences between `now` and the plan that the run was trained with.
    ///
    /// # Errors
    /// Fails with [`TrainError::ChangedPlan`] like [`TrainPlan::check_resumable`]; the message says how
    /// to revert those that come from `plan.toml`.
    pub fn check_resumable(
        &self,
        now: &TrainPlan,
        accepted: &[String],
    ) -> Result<Vec<Difference>, TrainError> {
        let mut checked = self.trained.check_resumable(now, accepted);
        let (
            Err(TrainError::ChangedPlan {
                differences,
                restore,
            }),
            Ok(written),
        ) = (&mut checked, &self.written)
        else {
            return checked;
        };
        let edits = self.trained.differences(written)?;
        *restore = differences
            .iter()
            .filter(|difference| edits.contains(difference) && !difference.saved.is_empty())
            .map(|difference| {
                let setting = format!("{}={}", difference.key, difference.saved);
                format!("--set {}", shell_word(&setting))
            })
            .collect();
        checked
    }
}

/// Quotes a path as a shell argument.
fn quoted(path: &Path) -> String {
    shell_word(&path.display().to_string())
}

/// Returns the plan of the newest intact checkpoint that has one.
fn checkpoint_plan(checkpoints: &Path) -> Option<TrainPlan> {
    let text = fs::read_to_string(checkpoint_file(checkpoints)?).ok()?;
    toml::from_str(&text).ok()
}

/// Returns the path of that checkpoint's plan.
fn checkpoint_file(checkpoints: &Path) -> Option<PathBuf> {
    let directory = CheckpointDirectory::new(checkpoints);
    let steps = directory.steps().ok()?.into_iter().rev();
    let file = |step| {
        let checkpoint = Checkpoint::open_manifest(directory.path_of(step)).ok()?;
        checkpoint.verified(PLAN).ok()
    };
    steps.filter_map(file).next()
}

/// Describes a run that has lost its plan, and says where there is a copy.
pub(crate) fn lost(run: &Path) -> Option<String> {
    let Some(copy) = checkpoint_file(&run.join(CHECKPOINTS)) else {
        let was_a_run = matches!(Manifest::read(run), Ok(Some(_)));
        return was_a_run.then(|| {
            format!(
                "it has the remains of a run, but neither {PLAN} nor a checkpoint to resume from"
            )
        });
    };
    Some(format!(
        "it has checkpoints, but no {PLAN}; restore it with\n  cp {} {}\nand resume",
        quoted(&copy),
        quoted(&run.join(PLAN))
    ))
}

/// Describes a plan file that cannot be parsed: which keys changed, and how to restore the file.
fn damaged(path: &Path, text: &str, trained: &TrainPlan, problem: &str) -> String {
    let mut message = problem.trim_end().to_string();
    if let (Ok(was), Ok(is)) = (trained.to_table(), text.parse::<Table>()) {
        for difference in differences(was, is) {
            message += &format!("\n  {difference}");
        }
    }
    let checkpoints = path.with_file_name(CHECKPOINTS);
    message += &match checkpoint_file(&checkpoints) {
        Some(copy) => format!(
            "\nThe newest checkpoint has an intact copy; restore it with\n  cp {} {}",
            quoted(&copy),
            quoted(path)
        ),
        None => "\nThere is no checkpoint yet, so nothing is lost: start the run again with another --output"
            .to_string(),
    };
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(edit: impl FnOnce(&mut TrainPlan)) -> SavedPlan {
        let trained = TrainPlan::default();
        let mut written = trained.clone();
        edit(&mut written);
        SavedPlan {
            path: PathBuf::new(),
            written: Ok(written),
            trained,
        }
    }

    #[test]
    fn an_edit_is_refused_and_can_be_reverted() {
        let plan = saved(|plan| plan.optimization.learning_rate = 0.5);
        let written = plan.written.as_ref().unwrap().clone();
        let message = plan.check_resumable(&written, &[]).unwrap_err().to_string();
        for part in [
            "plan.toml was changed",
            "learning_rate: 0.00005 in the run, now 0.5",
            "--accept learning_rate",
            "--set learning_rate=0.00005",
        ] {
            assert!(message.contains(part), "{message}");
        }
        let accepted = ["learning_rate".to_string()];
        assert_eq!(plan.check_resumable(&written, &accepted).unwrap().len(), 1);
        // A value that is requested now is not an edit.
        let asked = TrainPlan {
            seed: 7,
            ..TrainPlan::default()
        };
        let message = plan.check_resumable(&asked, &[]).unwrap_err().to_string();
        assert!(!message.contains("plan.toml was changed"), "{message}");
    }

    #[test]
    fn harmless_changes_pass() {
        let plan = saved(|plan| plan.saving.save_total_limit = 9);
        let written = plan.written.as_ref().unwrap().clone();
        let passed = plan.check_resumable(&written, &[]).unwrap();
        assert_eq!(passed[0].key, "save_total_limit");
    }
}
