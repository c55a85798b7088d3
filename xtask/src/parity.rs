//! `cargo xtask parity`: the reference implementations, on this machine, against ours. On request
//! only; the tests need nothing but the fixtures that are committed.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::datasets::Catalog;
use crate::datasets::text::sha256_hex;
use crate::{binary, fixtures, python, workspace};

/// Make the committed fixtures elsewhere and compare them, compare the converted DistilBERT with
/// MiniLM, open directories that `finetune` saved in transformers (each prints the largest
/// difference), and read what it logged with TensorBoard.
///
/// # Errors
/// When something cannot be set up, or a difference is too large.
pub fn parity(venv: Option<PathBuf>, model: Option<&str>) -> Result<()> {
    let python = environment(venv)?;
    let base = fixtures::base_model(model)?;
    let work = workspace::target_dir()?.join("parity");
    if work.exists() {
        fs::remove_dir_all(&work).with_context(|| format!("cannot empty {}", work.display()))?;
    }
    fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;

    println!("\n── the committed fixtures against new ones");
    let again = work.join("fixtures");
    let committed = scripts();
    script(
        &python,
        "make.py",
        &[
            "--out".as_ref(),
            again.as_ref(),
            "--minilm".as_ref(),
            base.dir.as_ref(),
            "--compare".as_ref(),
            committed.as_ref(),
        ],
    )?;

    script(
        &python,
        "make_optim.py",
        &[
            "--out".as_ref(),
            again.as_ref(),
            "--compare".as_ref(),
            committed.as_ref(),
        ],
    )?;

    println!("\n── MiniLM as DistilBERT against MiniLM, both in transformers");
    let distilbert = fixtures::distilminilm(&base)?;
    script(
        &python,
        "make.py",
        &[
            "--minilm".as_ref(),
            base.dir.as_ref(),
            "--distilminilm".as_ref(),
            distilbert.as_ref(),
        ],
    )?;

    println!("\n── directories that finetune saved, opened in transformers");
    let binary = binary::build(&[])?;
    let mut args: Vec<OsString> = Vec::new();
    let mut cases: Vec<OsString> = vec!["--cases".into()];
    let mut runs: Vec<PathBuf> = Vec::new();
    let datasets = workspace::datasets();
    let classes = (datasets.join("policy_stance"), "test.csv", &[][..]);
    let numbers = (
        Catalog::new(&datasets).build("toy", false)?.folder,
        "test.parquet",
        &["--problem-type", "regression", "--label-column", "rating"][..],
    );
    for (name, model, (data, test, options)) in [
        ("bert", &base.dir, &classes),
        ("distilbert", &distilbert, &classes),
        ("regression", &base.dir, &numbers),
    ] {
        let run = work.join(name);
        runs.push(run.clone());
        // A few real steps, so that head and encoder are no longer what they were.
        let mut train = Command::new(&binary);
        train.arg("train").arg("--model").arg(model);
        train.arg("--dataset").arg(data).args(*options);
        train
            .args(["--max-steps", "12", "--json", "--output"])
            .arg(&run);
        output_of(&mut train)?;
        let saved = run.join("model");
        let mut predict = Command::new(&binary);
        predict.arg("predict").arg("--model").arg(&saved);
        predict.arg("--file").arg(data.join(test));
        predict.args(["--format", "json-lines"]);
        let predictions = run.join("predictions.jsonl");
        fs::write(&predictions, output_of(&mut predict)?)
            .with_context(|| format!("cannot write {}", predictions.display()))?;
        args.push(saved.into());
        cases.push(predictions.into());
    }
    args.extend(cases);
    let args: Vec<&OsStr> = args.iter().map(OsString::as_os_str).collect();
    script(&python, "check_saved.py", &args)?;

    println!("\n── TensorBoard's files, read by TensorBoard, against the event logs");
    let runs: Vec<&OsStr> = runs.iter().map(|run| run.as_os_str()).collect();
    script(&python, "check_tensorboard.py", &runs)
}

/// `cargo xtask fixtures --python PYTHON`: write the committed fixtures again.
///
/// # Errors
/// When the script fails.
pub fn remake_fixtures(python: &Path, base: &Path) -> Result<()> {
    let out = scripts();
    script(
        python,
        "make.py",
        &[
            "--out".as_ref(),
            out.as_ref(),
            "--minilm".as_ref(),
            base.as_ref(),
        ],
    )?;
    script(python, "make_optim.py", &[])
}

fn scripts() -> PathBuf {
    workspace::root().join("tests/fixtures")
}

fn script(python: &Path, name: &str, args: &[&OsStr]) -> Result<()> {
    let script = scripts().join(name);
    let args: Vec<&OsStr> = std::iter::once(script.as_os_str())
        .chain(args.iter().copied())
        .collect();
    python::run(python, &args)
}

/// Standard output; standard error goes to the terminal.
fn output_of(command: &mut Command) -> Result<Vec<u8>> {
    let line =
        workspace::shell_line(std::iter::once(command.get_program()).chain(command.get_args()));
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` failed ({})", output.status);
    }
    Ok(output.stdout)
}

/// Python of a virtual environment with what `tests/fixtures/requirements.txt` pins. Without a
/// folder it is one in the user's cache, made (about 6 GB) when it is not there or the pins have
/// changed; a folder that is named and exists is taken as it is.
fn environment(venv: Option<PathBuf>) -> Result<PathBuf> {
    let requirements = scripts().join("requirements.txt");
    let pins = fs::read(&requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let given = venv.is_some();
    let folder = match venv {
        Some(folder) => folder,
        None => cache_dir()?.join("finetune").join("parity-venv"),
    };
    let python = python_in(&folder);
    let stamp = folder.join("requirements.sha256");
    let ready = given || fs::read_to_string(&stamp).is_ok_and(|hash| hash == sha256_hex(&pins));
    if python.exists() && ready {
        return Ok(python);
    }
    println!(
        "Making the Python environment {} (once, about 6 GB)",
        folder.display()
    );
    let system = python::find_with("venv")?;
    python::run(
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
    python::run(&python, &args)?;
    // Last, so that an installation that was broken off starts again.
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

/// The user's folder for things that can be made again.
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
    folder.context("found no cache folder of the user; name one with --venv")
}
