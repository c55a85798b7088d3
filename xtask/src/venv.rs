//! Virtual environments of Python with pinned packages.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::datasets::text::sha256_hex;
use crate::python;

/// Returns the Python of a virtual environment with the packages pinned in the file `requirements`.
/// By default this is `name` in the user's cache, created (about 6 GB) if it is missing or the pins
/// have changed. An existing `folder` is used as it is.
///
/// # Errors
/// Fails if there is no Python to create it with, or if the packages cannot be installed.
pub fn python(folder: Option<PathBuf>, name: &str, requirements: &Path) -> Result<PathBuf> {
    let pins = fs::read(requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let given = folder.is_some();
    let folder = match folder {
        Some(folder) => folder,
        None => cache_dir()?.join("finetune").join(name),
    };
    let python = python_in(&folder);
    let stamp = folder.join("requirements.sha256");
    let ready = given || fs::read_to_string(&stamp).is_ok_and(|hash| hash == sha256_hex(&pins));
    if python.exists() && ready {
        return Ok(python);
    }
    eprintln!(
        "Making the Python environment {} (once, about 6 GB)",
        folder.display()
    );
    let system = python::find_with("venv")?;
    python::run_aside(
        &system,
        &["-m".as_ref(), "venv".as_ref(), folder.as_os_str()],
    )?;
    let install = [
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--requirement",
    ];
    let mut args: Vec<&OsStr> = install.iter().map(OsStr::new).collect();
    args.push(requirements.as_os_str());
    python::run_aside(&python, &args)?;
    // The stamp is written last, so that an interrupted installation starts again.
    fs::write(&stamp, sha256_hex(&pins))
        .with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(python)
}

fn python_in(venv: &Path) -> PathBuf {
    if cfg!(windows) {
        venv.join("Scripts").join("python.exe")
    } else {
        venv.join("bin").join("python")
    }
}

/// Returns the user's cache folder.
fn cache_dir() -> Result<PathBuf> {
    let variable = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let folder = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library").join("Caches"))
    } else {
        variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")))
    };
    folder.context("found no cache folder of the user; set XDG_CACHE_HOME or HOME")
}
