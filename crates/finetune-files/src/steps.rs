//! Hooks by which tests observe the steps of a write and interrupt it.

use std::path::Path;

/// Reports that a step of a write is done. Outside tests this does nothing.
#[cfg(not(test))]
pub(crate) fn done(_step: &'static str, _path: &Path) {}

#[cfg(test)]
pub(crate) use seam::done;

#[cfg(test)]
pub(crate) mod seam {
    use super::Path;
    use std::cell::RefCell;
    use std::path::PathBuf;

    /// Variable with the step at which a child process of a test aborts.
    pub(crate) const ABORT: &str = "FINETUNE_FILES_ABORT_AT";

    thread_local! {
        static DONE: RefCell<Vec<(&'static str, PathBuf)>> = const { RefCell::new(Vec::new()) };
    }

    pub(crate) fn done(step: &'static str, path: &Path) {
        DONE.with_borrow_mut(|done| done.push((step, path.to_path_buf())));
        if std::env::var_os(ABORT).is_some_and(|at| at == step) {
            std::process::abort();
        }
    }

    /// Returns the steps that this thread performed while `work` ran.
    pub(crate) fn recorded(work: impl FnOnce()) -> Vec<(&'static str, PathBuf)> {
        DONE.take();
        work();
        DONE.take()
    }
}
