//! `cargo xtask parity`: compares with the reference implementations on this machine. It runs only
//! on request; the tests need nothing but the committed fixtures.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::datasets::Catalog;
use crate::{binary, fixtures, python, venv, workspace};

/// Regenerates the committed fixtures elsewhere and compares them, compares the converted
/// DistilBERT with MiniLM, opens directories saved by `finetune` in transformers and adapters in
/// PEFT (each prints the largest difference), and reads its logs with TensorBoard.
///
/// # Errors
/// Fails if something cannot be set up or a difference is too large.
pub fn parity(venv: Option<PathBuf>, model: Option<&str>) -> Result<()> {
    let python = venv::python(venv, "parity-venv", &scripts().join("requirements.txt"))?;
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

    for name in ["make_optim.py", "make_explain.py"] {
        script(
            &python,
            name,
            &[
                "--out".as_ref(),
                again.as_ref(),
                "--compare".as_ref(),
                committed.as_ref(),
            ],
        )?;
    }

    for (name, folder) in [
        ("make_families.py", "families"),
        ("make_encoders.py", "encoders"),
        ("make_masked_lm.py", "masked_lm"),
        ("make_distillation.py", "distillation"),
    ] {
        let (new, committed) = (again.join(folder), committed.join(folder));
        script(
            &python,
            name,
            &[
                "--out".as_ref(),
                new.as_ref(),
                "--compare".as_ref(),
                committed.as_ref(),
            ],
        )?;
    }

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
    let binary = binary::build("finetune", &[])?;
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
    let several = several_outputs(&work)?;
    let labels = (
        several.clone(),
        "train.jsonl",
        &["--label-column", "labels"][..],
    );
    let pair = (
        several,
        "train.jsonl",
        &["--label-column", "first,second"][..],
    );
    for (name, model, (data, test, options)) in [
        ("bert", &base.dir, &classes),
        ("distilbert", &distilbert, &classes),
        ("regression", &base.dir, &numbers),
        ("multi_label", &base.dir, &labels),
        ("two_numbers", &distilbert, &pair),
        ("roberta", &committed.join("families/roberta"), &classes),
        (
            "xlm_roberta",
            &committed.join("families/xlm_roberta"),
            &numbers,
        ),
        ("camembert", &committed.join("families/camembert"), &labels),
        ("electra", &committed.join("families/electra"), &classes),
    ] {
        let run = work.join(name);
        runs.push(run.clone());
        // A few real steps, so that head and encoder have changed.
        let mut train = Command::new(&binary);
        train.arg("train").arg("--model").arg(model);
        train.arg("--dataset").arg(data).args(*options);
        train
            .args(["--train-rows", "1000", "--eval-rows", "200"])
            .args(["--max-steps", "12", "--json", "--output"])
            .arg(&run);
        output_of(&mut train)?;
        let saved = run.join("model");
        let mut predict = Command::new(&binary);
        predict.arg("predict").arg("--model").arg(&saved);
        predict.arg("--file").arg(data.join(test));
        predict.args(["--precision", "f32", "--format", "json-lines"]);
        let predictions = run.join("predictions.jsonl");
        fs::write(&predictions, output_of(&mut predict)?)
            .with_context(|| format!("cannot write {}", predictions.display()))?;
        args.push(saved.into());
        cases.push(predictions.into());
    }
    args.extend(cases);
    let args: Vec<&OsStr> = args.iter().map(OsString::as_os_str).collect();
    script(&python, "check_saved.py", &args)?;

    println!("\n── tokenizers that finetune trains and extends, in transformers");
    let tokenizers = scripts().join("tokenizers");
    let compare = [binary.as_ref(), "--compare".as_ref(), tokenizers.as_ref()];
    script(&python, "make_tokenizers.py", &compare)?;
    println!("\n── masked language models that finetune trained, opened in transformers");
    masked_language_models(&python, &binary, &work, &scripts().join("masked_lm"))?;

    println!("\n── adapters that finetune trained, opened in PEFT, and merged, in transformers");
    script(&python, "check_adapters.py", &[binary.as_ref()])?;

    println!("\n── TensorBoard's files, read by TensorBoard, against the event logs");
    let runs: Vec<&OsStr> = runs.iter().map(|run| run.as_os_str()).collect();
    script(&python, "check_tensorboard.py", &runs)
}

/// Pretrains each of the masked language models in `fixtures` for a few steps, and compares the words that
/// it then puts in the place of masks with transformers'.
fn masked_language_models(
    python: &Path,
    binary: &Path,
    work: &Path,
    fixtures: &Path,
) -> Result<()> {
    let texts = work.join("texts.txt");
    let lines: Vec<_> = (0..200)
        .map(|n| format!("the story of film {n} was slow , and the plot was not good"))
        .collect();
    fs::write(&texts, lines.join("\n"))
        .with_context(|| format!("cannot write {}", texts.display()))?;
    let (mut models, mut cases) = (Vec::new(), vec![OsString::from("--cases")]);
    for (name, mask) in [
        ("bert", "[MASK]"),
        ("distilbert", "[MASK]"),
        ("roberta", "<mask>"),
        ("electra", "[MASK]"),
    ] {
        let run = work.join(format!("masked_{name}"));
        let mut train = Command::new(binary);
        train
            .arg("pretrain")
            .arg("--model")
            .arg(fixtures.join(name));
        train.arg("--dataset").arg(&texts);
        train
            .args(["--max-steps", "12", "--json", "--output"])
            .arg(&run);
        output_of(&mut train)?;
        let mut fill = Command::new(binary);
        fill.arg("fill-mask").arg(run.join("model"));
        fill.arg(format!("the film was {mask} ."));
        fill.arg(format!("a {mask} film with a {mask} plot"));
        let filled = run.join("filled.jsonl");
        fs::write(&filled, output_of(fill.arg("--json"))?)
            .with_context(|| format!("cannot write {}", filled.display()))?;
        models.push(run.join("model").into_os_string());
        cases.push(filled.into());
    }
    models.extend(cases);
    let args: Vec<&OsStr> = models.iter().map(OsString::as_os_str).collect();
    script(python, "check_masked_lm.py", &args)
}

/// Creates a folder with `train.jsonl`, whose rows have a list of labels and two numbers.
fn several_outputs(work: &Path) -> Result<PathBuf> {
    let folder = work.join("several");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let row = |number: u32| {
        let labels = [("even", 2), ("third", 3), ("fifth", 5)].into_iter();
        let labels = labels.filter(|(_, divisor)| number.is_multiple_of(*divisor));
        let labels: Vec<_> = labels.map(|(name, _)| name).collect();
        let (first, second) = (f64::from(number) / 7.0 - 3.5, f64::from(number % 4) + 0.25);
        let text = format!("Row number {number} of this file, and nothing else.");
        json!({"text": text, "labels": labels, "first": first, "second": second}).to_string()
    };
    let rows: Vec<_> = (0..200).map(row).collect();
    let file = folder.join("train.jsonl");
    fs::write(&file, rows.join("\n"))
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(folder)
}

/// `cargo xtask fixtures --python PYTHON`: regenerates the committed fixtures.
///
/// # Errors
/// Fails if the script fails.
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
    script(python, "make_families.py", &[])?;
    script(python, "make_masked_lm.py", &[])?;
    script(python, "make_distillation.py", &[])?;
    script(python, "make_encoders.py", &[])?;
    script(python, "make_explain.py", &[])?;
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

/// Returns the script's standard output; standard error goes to the terminal.
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
