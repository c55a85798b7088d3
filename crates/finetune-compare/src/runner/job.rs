//! What has to be done, and what of it is done already.

use std::path::Path;

/// A directory that a command of the program makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The name of the directory in the runner's folder.
    pub name: String,
    /// What the directory is.
    pub goal: Goal,
    /// The arguments of the program that make it.
    pub arguments: Vec<String>,
    /// Further arguments, which a run also gets when it is resumed.
    pub always: Vec<String>,
}

/// What a job makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A run, which is resumed if it was interrupted.
    Run,
    /// A directory that the program publishes whole.
    Directory,
}

/// What has to be done for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Nothing.
    Complete,
    /// It is resumed.
    Interrupted,
    /// It is begun.
    New,
}

impl RunState {
    /// Returns the state of the run in a directory, which writes its results last, and its plan before anything
    /// that is worth keeping.
    pub fn of(run: &Path) -> Self {
        match () {
            () if run.join("results.json").exists() => Self::Complete,
            () if run.join("plan.toml").exists() => Self::Interrupted,
            () => Self::New,
        }
    }
}

impl Job {
    pub(super) fn is_done(&self, directory: &Path) -> bool {
        match self.goal {
            Goal::Run => RunState::of(directory) == RunState::Complete,
            Goal::Directory => directory.exists(),
        }
    }

    /// The arguments that begin the job or resume it.
    pub(super) fn command(&self, directory: &Path) -> Vec<String> {
        let mut arguments = match self.goal {
            Goal::Run if RunState::of(directory) == RunState::Interrupted => {
                vec!["resume".into(), directory.display().to_string()]
            }
            Goal::Run | Goal::Directory => self.arguments.clone(),
        };
        arguments.extend_from_slice(&self.always);
        arguments
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_run_is_new_interrupted_or_complete() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        assert_eq!(RunState::of(&run), RunState::New);
        fs::create_dir(&run).unwrap();
        assert_eq!(RunState::of(&run), RunState::New);
        fs::write(run.join("plan.toml"), "").unwrap();
        assert_eq!(RunState::of(&run), RunState::Interrupted);
        fs::write(run.join("results.json"), "{}").unwrap();
        assert_eq!(RunState::of(&run), RunState::Complete);
    }
}
