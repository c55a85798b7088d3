//! `cargo xtask storm`: runs that are killed, hit by disk errors and damaged between their
//! sessions, and resumed until they end. Each must end like the undisturbed run, bit for bit, or be
//! rejected with a message that names the damage.

mod run;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::{binary, table, workspace};
use run::Run;

/// Source of the preloaded library that makes calls fail.
const FAULT: &str = include_str!("fault.c");

/// The variants trained, which together cover every kind of state that a run has.
const VARIANTS: [&str; 4] = [
    "--strategy full --ema-decay 0.9 --gradient-accumulation-steps 2 --batch-size 8",
    "--strategy lora --optim adafactor --set lora.lora_dropout=0.1",
    "--strategy head --length-buckets 4",
    "--strategy gradual --metric-for-best-model accuracy --learning-rate 1e-2",
];

/// Disturb runs in every way and compare how they end (Linux, needs a C compiler)
#[derive(Args)]
pub struct Arguments {
    /// Number of runs
    #[arg(long, default_value_t = 100)]
    pub runs: u64,
    /// Seed of the first run; the others have the following seeds
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Runs the storms and prints how they ended.
///
/// # Errors
/// Fails if a run ends in any other way than it should, naming its directory and everything that
/// was done to it.
pub fn storm(arguments: &Arguments) -> Result<()> {
    let program = binary::build("finetune", &[])?;
    let started = Instant::now();
    let folder = std::env::temp_dir().join(format!("finetune-storm-{}", std::process::id()));
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let Some(field) = Field::new(&program, &folder)? else {
        bail!("there is no C compiler here (cc), or this is not Linux");
    };
    let mut ends: BTreeMap<&str, u64> = BTreeMap::new();
    let mut failed = Vec::new();
    for seed in arguments.seed..arguments.seed + arguments.runs {
        match field.weather(seed) {
            Ok(end) => *ends.entry(end.name()).or_default() += 1,
            Err(error) => {
                println!("storm {seed}: {error:#}\n");
                failed.push(seed);
            }
        }
    }
    let mut rows = vec![vec!["end".to_owned(), "runs".to_owned()]];
    rows.extend(
        ends.iter()
            .map(|(end, runs)| vec![(*end).to_owned(), runs.to_string()]),
    );
    println!("{}", table::format(&rows));
    println!(
        "{} storms in {:.0} s",
        arguments.runs,
        started.elapsed().as_secs_f64()
    );
    ensure!(
        failed.is_empty(),
        "{failed:?} ended otherwise; see {}",
        folder.display()
    );
    fs::remove_dir_all(&folder).ok();
    Ok(())
}

/// How a disturbed run ended, if it ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Like the undisturbed run.
    Same,
    /// Its best model was damaged, and it said so.
    LostBest,
    /// A harmless key of its plan was damaged, and it said so.
    Announced,
    /// It was rejected with the name of what is damaged.
    Refused,
}

impl End {
    fn name(self) -> &'static str {
        match self {
            Self::Same => "equal to the undisturbed run",
            Self::LostBest => "the best model was damaged, and said to be",
            Self::Announced => "a harmless change, and announced",
            Self::Refused => "refused by the name of the damage",
        }
    }
}

/// The setting of the storms: data, the undisturbed runs, and the library that makes calls fail.
pub struct Field {
    program: PathBuf,
    folder: PathBuf,
    fault: PathBuf,
    /// For each variant, its undisturbed run and the number of calls that change its files.
    undisturbed: Vec<(PathBuf, u64)>,
}

impl Field {
    /// Prepares an existing empty folder; returns `None` where storms are not possible: outside
    /// Linux, or without a C compiler.
    ///
    /// # Errors
    /// Fails if the library does not compile or an undisturbed run fails.
    pub fn new(program: &Path, folder: &Path) -> Result<Option<Self>> {
        let has_compiler = || Command::new("cc").arg("--version").output().is_ok();
        if !cfg!(target_os = "linux") || !has_compiler() {
            return Ok(None);
        }
        let source = folder.join("fault.c");
        fs::write(&source, FAULT)?;
        let fault = folder.join("fault.so");
        let compiled = Command::new("cc")
            .args(["-O1", "-shared", "-fPIC", "-o"])
            .args([&fault, &source])
            .output()?;
        let errors = String::from_utf8_lossy(&compiled.stderr);
        ensure!(
            compiled.status.success(),
            "fault.c does not compile: {errors}"
        );
        write_data(&folder.join("data"))?;
        let mut field = Self {
            program: program.into(),
            folder: folder.into(),
            fault,
            undisturbed: Vec::new(),
        };
        for variant in 0..VARIANTS.len() {
            let calls = field.undisturbed(variant)?;
            field.undisturbed.push(calls);
        }
        Ok(Some(field))
    }

    fn undisturbed(&self, variant: usize) -> Result<(PathBuf, u64)> {
        let name = format!("undisturbed-{variant}");
        let count = self.folder.join("calls");
        let output = self
            .command(&name)
            .args(self.train(variant, &name))
            .env("STORM_COUNT", &count)
            .output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "the undisturbed run failed: {errors}"
        );
        let calls = fs::read_to_string(&count)?.trim().parse()?;
        Ok((self.folder.join(name), calls))
    }

    /// Disturbs one run in ways that the seed decides, except for the exact moments of timed kills.
    ///
    /// # Errors
    /// Fails if the run ends in any other way than it should.
    pub fn weather(&self, seed: u64) -> Result<End> {
        Run::new(self, seed).weather()
    }

    fn train(&self, variant: usize, run: &str) -> Vec<String> {
        let model = workspace::root().join("tests/fixtures/tiny_bert");
        let line = format!(
            "train --model {} --dataset data --output {run} --resume auto --epochs 6 --eval-steps 10 --save-steps 10 --json {}",
            model.display(),
            VARIANTS[variant]
        );
        line.split_whitespace().map(str::to_owned).collect()
    }

    /// Returns the program with the library preloaded, restricted to the files of one run.
    fn command(&self, run: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(&self.folder)
            .env("FINETUNE_CACHE", self.folder.join("cache"))
            .env("HF_HUB_OFFLINE", "1")
            .env("LD_PRELOAD", &self.fault)
            // Both relative and absolute paths contain it.
            .env("STORM_PATH", run);
        command
    }
}

/// Writes 160, 20 and 20 sentences whose adjective determines the class.
fn write_data(folder: &Path) -> Result<()> {
    const SUBJECTS: [&str; 5] = ["film", "movie", "story", "plot", "acting"];
    const ADJECTIVES: [[&str; 5]; 2] = [
        ["bad", "boring", "dull", "cold", "slow"],
        ["good", "great", "fun", "bright", "warm"],
    ];
    fs::create_dir_all(folder)?;
    let row = |number: usize| {
        let mixed = number * 77 % 200;
        let (class, subject) = (mixed % 2, SUBJECTS[mixed / 10 % 5]);
        let adjective = ADJECTIVES[class][mixed / 2 % 5];
        let label = ["negative", "positive"][class];
        match mixed / 100 {
            0 => format!("the {subject} was {adjective} .,{label}\n"),
            _ => format!("this is a very {adjective} {subject} !,{label}\n"),
        }
    };
    for (name, rows) in [
        ("train", 0..160),
        ("validation", 160..180),
        ("test", 180..200),
    ] {
        let text: String = rows.map(row).collect();
        fs::write(
            folder.join(format!("{name}.csv")),
            format!("text,label\n{text}"),
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dozen_storms() {
        // TARGET/PROFILE/deps/xtask-HASH
        let test = std::env::current_exe().unwrap();
        let program = test.parent().unwrap().parent().unwrap().join("finetune");
        if !program.exists() {
            println!("skipped: the program is not built; cargo build --release --workspace --bins");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let Some(field) = Field::new(&program, folder.path()).unwrap() else {
            println!("skipped: not on Linux, or there is no C compiler (cc)");
            return;
        };
        let mut same = 0;
        for seed in 1..=12 {
            let end = field
                .weather(seed)
                .unwrap_or_else(|error| panic!("storm {seed}: {error:#}"));
            same += usize::from(end == End::Same);
        }
        assert!(same >= 4, "only {same} of 12 ended as the undisturbed run");
    }
}
