//! `cargo xtask test`: every check that must pass before a change is merged, one step at a time.

use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use finetune_hub::ModelFiles;

use crate::datasets::{Catalog, DEFAULT};
use crate::{fixtures, table, workspace};

/// What a step does.
enum Action {
    /// Runs cargo with these arguments and one more environment variable.
    Cargo(Vec<OsString>, Option<(&'static str, &'static str)>),
    /// Runs [`prepare`].
    Prepare,
}

struct Step {
    name: &'static str,
    action: Action,
}

/// Runs all steps up to the first that fails and prints a table of them. With a filter, only the
/// matching tests run, without the style checks; `backends` adds the parity tests on the ndarray
/// backend and a check of the CUDA build, which CI always does.
///
/// # Errors
/// Fails if a step fails; the message says how to run that step alone.
pub fn test(filters: &[String], backends: bool) -> Result<()> {
    let in_ci =
        std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
    let steps = steps(filters, backends || in_ci);
    if filters.is_empty() {
        ensure_components()?;
    }
    let start = Instant::now();
    let mut rows = vec![["step", "result", "time"].map(str::to_owned).to_vec()];
    for step in &steps {
        println!("\n── {}: {}", step.name, step.line());
        let start = Instant::now();
        let result = step.run();
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        rows.push(vec![
            step.name.to_owned(),
            verdict.to_owned(),
            seconds(start.elapsed()),
        ]);
        if let Err(error) = result {
            println!("\n{}", table::format(&rows));
            bail!(
                "the step `{}` failed: {error:#}\nRun it alone with\n    {}",
                step.name,
                step.line()
            );
        }
    }
    rows.push(vec![
        "all".to_owned(),
        "ok".to_owned(),
        seconds(start.elapsed()),
    ]);
    println!("\n{}", table::format(&rows));
    Ok(())
}

/// Provides what the tests need besides the code: the default data set, the base model, and the
/// models converted from it. All of it is kept for the next time.
///
/// # Errors
/// Fails if something cannot be downloaded or built.
pub fn prepare() -> Result<()> {
    let built = Catalog::new(workspace::datasets()).build(DEFAULT, false)?;
    println!("data set {DEFAULT}: {}", workspace::display(&built.folder));
    prepare_models(None).map(drop)
}

/// Fetches the base model (the default or the named one), converts it to DistilBERT, and prints
/// where both are.
///
/// # Errors
/// Fails if the model cannot be downloaded or converted.
pub fn prepare_models(model: Option<&str>) -> Result<ModelFiles> {
    let base = fixtures::base_model(model)?;
    println!(
        "base model {}: {}",
        base.name,
        workspace::display(&base.dir)
    );
    let distilbert = fixtures::distilminilm(&base)?;
    println!(
        "the same as DistilBERT: {}",
        workspace::display(&distilbert)
    );
    Ok(base)
}

fn steps(filters: &[String], backends: bool) -> Vec<Step> {
    let cargo = |name, line: &str, environment| Step {
        name,
        action: Action::Cargo(
            line.split_whitespace().map(OsString::from).collect(),
            environment,
        ),
    };
    let prepare = Step {
        name: "prepare",
        action: Action::Prepare,
    };
    // The command-line tests run the binary built by this step.
    let build = cargo("build", "build --release --workspace --bins", None);
    if !filters.is_empty() {
        let line = format!("test --release --workspace -- {}", filters.join(" "));
        return vec![prepare, build, cargo("test", &line, None)];
    }
    let mut steps = vec![
        cargo("format", "fmt --all --check", None),
        cargo(
            "clippy",
            "clippy --release --workspace --all-targets -- -D warnings",
            None,
        ),
        cargo(
            "documentation",
            "doc --release --workspace --no-deps",
            Some(("RUSTDOCFLAGS", "-Dwarnings")),
        ),
        prepare,
        build,
        cargo("test", "test --release --workspace", None),
    ];
    if backends {
        steps.push(cargo(
            "ndarray",
            "test --release --workspace --features finetune-tests/ndarray --test it parity",
            None,
        ));
        // Without it, the build script of a dependency would download LLVM, which only linking
        // needs.
        steps.push(cargo(
            "cuda",
            "check --release -p finetune --features cuda",
            Some(("DOCS_RS", "1")),
        ));
    }
    steps
}

impl Step {
    fn run(&self) -> Result<()> {
        let (args, environment) = match &self.action {
            Action::Prepare => return prepare(),
            Action::Cargo(args, environment) => (args, environment),
        };
        let mut command = workspace::cargo();
        command.args(args).envs(*environment);
        let status = command.status().context("cannot start cargo")?;
        if !status.success() {
            bail!("{status}");
        }
        Ok(())
    }

    /// Returns the step as one would type it.
    fn line(&self) -> String {
        match &self.action {
            Action::Prepare => "cargo xtask prepare".to_owned(),
            Action::Cargo(args, environment) => {
                let prefix = environment.map(|(name, value)| format!("{name}={value} "));
                let words = std::iter::once(OsString::from("cargo")).chain(args.iter().cloned());
                prefix.unwrap_or_default() + &workspace::shell_line(words)
            }
        }
    }
}

/// Checks for rustfmt and clippy, which a minimal toolchain lacks and rustup can add.
fn ensure_components() -> Result<()> {
    let works = |tool: &str| {
        let mut command = workspace::cargo();
        command.args([tool, "--version"]).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    for (tool, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if works(tool) {
            continue;
        }
        eprintln!("Adding {component} to the toolchain: rustup component add {component}");
        let added = Command::new("rustup")
            .args(["component", "add", component])
            .current_dir(workspace::root())
            .status();
        if !added.is_ok_and(|status| status.success()) || !works(tool) {
            bail!(
                "`cargo {tool}` does not run and rustup could not add it; install {component} for \
                 this toolchain, with `rustup component add {component}` or the package of your \
                 system"
            );
        }
    }
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(filters: &[&str], backends: bool) -> Vec<String> {
        let filters: Vec<String> = filters.iter().map(|&word| word.to_owned()).collect();
        steps(&filters, backends).iter().map(Step::line).collect()
    }

    #[test]
    fn every_step_can_be_typed() {
        assert_eq!(
            lines(&[], true),
            [
                "cargo fmt --all --check",
                "cargo clippy --release --workspace --all-targets -- -D warnings",
                "RUSTDOCFLAGS=-Dwarnings cargo doc --release --workspace --no-deps",
                "cargo xtask prepare",
                "cargo build --release --workspace --bins",
                "cargo test --release --workspace",
                "cargo test --release --workspace --features finetune-tests/ndarray --test it parity",
                "DOCS_RS=1 cargo check --release -p finetune --features cuda",
            ]
        );
        assert_eq!(lines(&[], false).len(), 6);
    }

    #[test]
    fn a_filter_runs_those_tests_only() {
        assert_eq!(
            lines(&["resume", "parity"], true),
            [
                "cargo xtask prepare",
                "cargo build --release --workspace --bins",
                "cargo test --release --workspace -- resume parity",
            ]
        );
    }
}
