//! The job `operations`: the microbenchmarks of `finetune-kernels`.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::process;
use super::results::JobResult;
use super::workbench::Workbench;
use xtask::workspace;

/// Runs the job.
///
/// # Errors
/// Fails if the benchmark cannot be built or fails.
pub fn run(bench: &Workbench) -> Result<JobResult> {
    let settings = "Single operations at the shapes of a step of 16 rows of 27 tokens, at the width of \
                    DistilBERT, and for linear layers also of MiniLM. `forward_backward` is both \
                    passes through autodiff. Gitem/s are 10⁹ floating-point operations per second of \
                    the matrix multiplications alone, GB/s the tensors read and written once.";
    let mut result = bench.result("Operations", settings.to_owned());
    let mut command = Command::new(build()?);
    command.arg("--bench");
    let log = bench.log("operations");
    let finished = bench.run(&mut command, "operations", || ())?;
    if !finished.status.success() {
        bail!(process::failure(&command, finished.status, &log));
    }
    let text = std::fs::read_to_string(&log);
    let text = text.with_context(|| format!("cannot read {}", log.display()))?;
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    result.text = Some(lines.join("\n"));
    Ok(result)
}

/// Builds the benchmark, with Cargo's progress on the terminal.
fn build() -> Result<PathBuf> {
    let mut command = workspace::cargo();
    // With `--workspace`, as everywhere, nothing is compiled twice.
    command.args(["bench", "--workspace", "--bench", "operations", "--no-run"]);
    command.arg("--message-format=json-render-diagnostics");
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.context("cannot start cargo")?;
    if !output.status.success() {
        bail!("the build of the benchmark failed ({})", output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let built = text.lines().filter_map(executable_in).next_back();
    built.context("cargo built no benchmark `operations`")
}

/// Returns the path of the benchmark, if one of cargo's JSON messages announces it.
fn executable_in(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let ours =
        message["reason"] == "compiler-artifact" && message["target"]["name"] == "operations";
    let is_bench = message["target"]["kind"] == serde_json::json!(["bench"]);
    (ours && is_bench).then(|| message["executable"].as_str().map(PathBuf::from))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_benchmark_is_told_from_a_test_of_the_same_name() {
        let line = r#"{"reason":"compiler-artifact","target":{"kind":["bench"],"name":"operations"},"executable":"/t/operations-1"}"#;
        assert_eq!(executable_in(line), Some(PathBuf::from("/t/operations-1")));
        assert_eq!(executable_in(&line.replace("bench\"]", "test\"]")), None);
        assert_eq!(executable_in("{}"), None);
    }
}
