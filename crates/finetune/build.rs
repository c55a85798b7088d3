//! Finds the checked-out commit, which the manifest of a run records, without calling git.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let commit = git_directory().and_then(|git| commit(&git));
    let commit = commit.unwrap_or_else(|| "unknown".into());
    println!("cargo::rustc-env=FINETUNE_GIT_COMMIT={commit}");
}

/// Returns the workspace's `.git` directory, or in a worktree the directory that its `.git` file names.
fn git_directory() -> Option<PathBuf> {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?);
    let git = package.ancestors().nth(2)?.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let text = fs::read_to_string(&git).ok()?;
    let directory = text.strip_prefix("gitdir:")?.trim();
    Some(git.parent()?.join(directory))
}

/// Returns the full hash of `HEAD`. The build script reruns when one of the files read changes, and the
/// program is recompiled only when the commit changes.
fn commit(git: &Path) -> Option<String> {
    let head = read(&git.join("HEAD"))?;
    let Some(name) = head.strip_prefix("ref:") else {
        return hash(&head);
    };
    let name = name.trim();
    // A worktree shares the branches of its repository.
    let shared = match fs::read_to_string(git.join("commondir")) {
        Ok(shared) => git.join(shared.trim()),
        Err(_) => git.to_path_buf(),
    };
    if let Some(text) = read(&shared.join(name)) {
        return hash(&text);
    }
    let packed = read(&shared.join("packed-refs"))?;
    let line = packed
        .lines()
        .find(|line| line.ends_with(&format!(" {name}")))?;
    hash(line.split(' ').next()?)
}

/// Returns a file's text. A missing file is not watched, because Cargo would rerun the script each time.
fn read(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    println!("cargo::rerun-if-changed={}", path.display());
    Some(text)
}

fn hash(text: &str) -> Option<String> {
    let text = text.trim();
    let is_hash = text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| text.into())
}
