//! The version of this program, for the manifest of a run.

use finetune_train::ProgramFacts;

/// Returns the version and commit of this program.
pub fn program() -> ProgramFacts {
    ProgramFacts {
        version: env!("CARGO_PKG_VERSION").into(),
        git_commit: env!("FINETUNE_GIT_COMMIT").into(),
    }
}
