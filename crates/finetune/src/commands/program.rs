//! What this program is, for the manifest of a run.

use finetune_train::ProgramFacts;

pub fn program() -> ProgramFacts {
    ProgramFacts {
        version: env!("CARGO_PKG_VERSION").into(),
        git_commit: env!("FINETUNE_GIT_COMMIT").into(),
    }
}
