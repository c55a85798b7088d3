//! What all jobs share: the programs, folders for models, data, runs and logs, and the rounds.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result};

use super::arguments::Arguments;
use super::data::Corpus;
use super::machine::{self, Machine};
use super::results::{JobResult, Measured, Row};
use crate::{binary, fixtures, venv, workspace};

/// Programs, folders and settings of a run of the bench.
#[derive(Debug)]
pub struct Workbench {
    /// As given.
    pub arguments: Arguments,
    /// The `finetune` binary.
    pub program: PathBuf,
    /// The peer's Python, if there is one.
    pub peer: Option<PathBuf>,
    /// Texts to train on and to predict.
    pub corpus: Corpus,
    /// For everything that can be made again.
    folder: PathBuf,
}

/// What a measurement gave: values by the keys of a table's columns, or why there are none.
pub type Outcome = Result<Vec<(&'static str, f64)>, String>;

/// Who or what is measured: its key and name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contestant {
    /// For programs.
    pub key: &'static str,
    /// For readers.
    pub name: &'static str,
}

impl Workbench {
    /// Builds and installs what is needed.
    ///
    /// # Errors
    /// When something cannot be had.
    pub fn new(arguments: &Arguments) -> Result<Self> {
        let corpus = Corpus::read(arguments.dataset.as_deref())?;
        let peer = match (&arguments.peer_python, arguments.with_peer) {
            (Some(python), _) => Some(python.clone()),
            (None, true) => Some(venv::python(None, "bench-venv", &requirements())?),
            (None, false) => None,
        };
        let folder = workspace::target_dir()?.join("bench");
        for part in ["data", "logs", "models", "runs"] {
            let part = folder.join(part);
            fs::create_dir_all(&part)
                .with_context(|| format!("cannot create {}", part.display()))?;
        }
        Ok(Self {
            arguments: arguments.clone(),
            program: binary::build(&[])?,
            peer,
            corpus,
            folder,
        })
    }

    /// The binary, with its token cache where the bench keeps its things.
    #[must_use]
    pub fn finetune(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("FINETUNE_CACHE", self.folder.join("cache"));
        command
    }

    /// A script of the peer's; `None` without a peer.
    #[must_use]
    pub fn peer(&self, script: &str) -> Option<Command> {
        let mut command = Command::new(self.peer.as_ref()?);
        command.arg(scripts().join(script));
        command.env("HF_HUB_OFFLINE", "1");
        command.env("HF_DATASETS_CACHE", self.folder.join("datasets-cache"));
        // Set on some machines for other programs; they slow numpy down.
        for name in ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"] {
            command.env_remove(name);
        }
        Some(command)
    }

    /// A model of DistilBERT's size with random weights.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn distilbert(&self) -> Result<PathBuf> {
        fixtures::distilbert_random()
    }

    /// all-MiniLM-L6-v2.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn minilm(&self) -> Result<PathBuf> {
        Ok(fixtures::base_model(None)?.dir)
    }

    /// A folder for data sets.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// A folder for models.
    #[must_use]
    pub fn models(&self) -> PathBuf {
        self.folder.join("models")
    }

    /// The log of a process.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{name}.log"))
    }

    /// A place for what a process writes, with nothing there.
    ///
    /// # Errors
    /// When what was there cannot be removed.
    pub fn empty(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.join("runs").join(name);
        remove(&path)?;
        Ok(path)
    }

    /// Each contestant once a round, in turn. One that is absent is not asked again.
    ///
    /// # Errors
    /// The first of `measure`.
    pub fn rounds(
        &self,
        job: &str,
        contestants: &[Contestant],
        mut measure: impl FnMut(&Contestant, usize) -> Result<Outcome>,
    ) -> Result<Vec<Row>> {
        let mut values = vec![BTreeMap::<String, Vec<f64>>::new(); contestants.len()];
        let mut absent = vec![None; contestants.len()];
        let repeats = self.arguments.repeats;
        for round in 1..=repeats {
            for (index, contestant) in contestants.iter().enumerate() {
                if absent[index].is_some() {
                    continue;
                }
                match measure(contestant, round)? {
                    Ok(found) => {
                        let shown: Vec<_> =
                            found.iter().map(|(key, value)| show(key, *value)).collect();
                        let name = contestant.name;
                        eprintln!("{job}  {round}/{repeats}  {name}: {}", shown.join(", "));
                        for (key, value) in found {
                            values[index].entry(key.to_owned()).or_default().push(value);
                        }
                    }
                    Err(reason) => {
                        eprintln!("{job}  {}: not measured, {reason}", contestant.name);
                        absent[index] = Some(reason);
                    }
                }
            }
        }
        let rows = contestants.iter().zip(values).zip(absent);
        let row = |((contestant, values), absent): ((&Contestant, BTreeMap<_, Vec<f64>>), _)| Row {
            key: contestant.key.to_owned(),
            name: contestant.name.to_owned(),
            values: values
                .into_iter()
                .map(|(key, rounds)| (key, Measured::new(rounds)))
                .collect(),
            absent,
            ..Row::default()
        };
        Ok(rows.map(row).collect())
    }

    /// A result of now and here, for the rest to be filled in.
    #[must_use]
    pub fn result(&self, title: &str, settings: String) -> JobResult {
        let seconds = humantime::format_rfc3339_seconds(SystemTime::now());
        JobResult {
            title: title.to_owned(),
            date: seconds.to_string(),
            machine: Machine::this(),
            versions: machine::versions(),
            settings,
            tables: Vec::new(),
            targets: Vec::new(),
            notes: Vec::new(),
            text: None,
        }
    }
}

/// Why the peer's rows are empty without one.
pub const NO_PEER: &str = "no peer was asked for (--with-peer or --peer-python PATH)";

fn scripts() -> PathBuf {
    workspace::root().join("benches").join("peer")
}

fn requirements() -> PathBuf {
    scripts().join("requirements.txt")
}

/// Remove a file or a folder that may not be there.
///
/// # Errors
/// When it cannot be removed.
pub fn remove(path: &Path) -> Result<()> {
    let removed = match path.is_dir() {
        true => fs::remove_dir_all(path),
        false if path.exists() => fs::remove_file(path),
        false => Ok(()),
    };
    removed.with_context(|| format!("cannot remove {}", path.display()))
}

/// `samples_per_second` 12.345 as `12.3 samples per second`.
fn show(key: &str, value: f64) -> String {
    let (unit, value) = match key {
        "peak_memory_bytes" => ("GB at most".to_owned(), value / 1e9),
        key => (key.replace('_', " "), value),
    };
    match value.abs() {
        large if large >= 1000.0 => format!("{value:.0} {unit}"),
        large if large >= 10.0 => format!("{value:.1} {unit}"),
        _ => format!("{value:.3} {unit}"),
    }
}
