//! The environment that all jobs share: programs, folders for models, data, runs and logs, and the
//! rounds.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail, ensure};

use super::arguments::Arguments;
use super::data::Corpus;
use super::machine::{self, Machine};
use super::process::{self, Finished};
use super::quiet;
use super::results::{Column, JobResult, Measured, Row, Table};
use xtask::{binary, fixtures, venv, workspace};

/// Programs, folders and settings of a run of the bench.
#[derive(Debug)]
pub struct Workbench {
    /// The command line's arguments.
    pub arguments: Arguments,
    /// The `finetune` binary.
    pub program: PathBuf,
    /// The peer's Python, if there is one.
    pub peer: Option<PathBuf>,
    /// Texts for training and prediction.
    pub corpus: Corpus,
    /// The folder of everything that can be regenerated.
    folder: PathBuf,
    /// The largest share of the processors' time that other processes took during a run.
    others: Cell<f64>,
    /// The lock, held for as long as this value lives.
    _lock: File,
}

/// The values of a measurement by the keys of a table's columns, or the reason why there are none.
pub type Outcome = Result<Vec<(&'static str, f64)>, String>;

/// A contestant or case, with its key and name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contestant {
    /// The key for programs.
    pub key: &'static str,
    /// The name for readers.
    pub name: &'static str,
}

impl Workbench {
    /// Builds and installs everything that the jobs need.
    ///
    /// # Errors
    /// Fails if something cannot be built or installed.
    pub fn new(arguments: &Arguments) -> Result<Self> {
        let folder = workspace::target_dir()?.join("bench");
        for part in ["data", "logs", "models", "runs"] {
            let part = folder.join(part);
            fs::create_dir_all(&part)
                .with_context(|| format!("cannot create {}", part.display()))?;
        }
        let lock = lock(&folder)?;
        let corpus = Corpus::read(arguments.dataset.as_deref())?;
        let peer = match (&arguments.peer_python, arguments.with_peer) {
            (Some(python), _) => Some(python.clone()),
            (None, true) => Some(venv::python(None, "bench-venv", &requirements())?),
            (None, false) => None,
        };
        if let Some(python) = &peer {
            check_peer(python)?;
        }
        Ok(Self {
            arguments: arguments.clone(),
            program: binary::build("finetune", &[])?,
            peer,
            corpus,
            folder,
            others: Cell::new(0.0),
            _lock: lock,
        })
    }

    /// Returns the command of the binary, with its token cache in the bench's folder.
    #[must_use]
    pub fn finetune(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("FINETUNE_CACHE", self.folder.join("cache"));
        command
    }

    /// Returns the command of a script of the peer; `None` without a peer.
    #[must_use]
    pub fn peer(&self, script: &str) -> Option<Command> {
        let mut command = Command::new(self.peer.as_ref()?);
        command.arg(scripts().join(script));
        command.env("HF_HUB_OFFLINE", "1");
        command.env("HF_DATASETS_CACHE", self.folder.join("datasets-cache"));
        // Some machines set these for other programs; they slow numpy down.
        for name in ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"] {
            command.env_remove(name);
        }
        Some(command)
    }

    /// Returns a model of DistilBERT's size with random weights.
    ///
    /// # Errors
    /// Fails if it cannot be created.
    pub fn distilbert(&self) -> Result<PathBuf> {
        fixtures::distilbert_random()
    }

    /// Returns all-MiniLM-L6-v2.
    ///
    /// # Errors
    /// Fails if it cannot be fetched.
    pub fn minilm(&self) -> Result<PathBuf> {
        Ok(fixtures::base_model(None)?.dir)
    }

    /// Returns the folder for data sets.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Returns the folder for models.
    #[must_use]
    pub fn models(&self) -> PathBuf {
        self.folder.join("models")
    }

    /// Runs a process to its end, with a log of this name; see [`process::run`].
    ///
    /// # Errors
    /// Fails if the process cannot be started or a signal interrupts us.
    pub fn run(&self, command: &mut Command, name: &str, watch: impl FnMut()) -> Result<Finished> {
        let finished = process::run(command, &self.log(name), watch)?;
        self.others.set(self.others.get().max(finished.others));
        Ok(finished)
    }

    /// Returns a note about the processes since the last call, if the machine was not quiet.
    #[must_use]
    pub fn disturbance(&self) -> Option<String> {
        quiet::note(self.others.take())
    }

    /// Returns the path of a process's log.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{name}.log"))
    }

    /// Returns an unused path for the output of a process.
    ///
    /// # Errors
    /// Fails if the previous content cannot be removed.
    pub fn empty(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.join("runs").join(name);
        remove(&path)?;
        Ok(path)
    }

    /// Measures each contestant once per round, in turn. One that is absent is not tried again.
    ///
    /// # Errors
    /// Returns the first error of `measure`.
    pub fn rounds(
        &self,
        job: &str,
        columns: Vec<Column>,
        contestants: &[Contestant],
        mut measure: impl FnMut(&Contestant, usize) -> Result<Outcome>,
    ) -> Result<Table> {
        let mut found: Vec<Found> = contestants.iter().map(|_| Found::default()).collect();
        let repeats = self.arguments.repeats;
        for round in 1..=repeats {
            for (contestant, found) in contestants.iter().zip(&mut found) {
                if found.absent.is_some() {
                    continue;
                }
                let outcome = measure(contestant, round)?;
                let name = contestant.name;
                match &outcome {
                    Ok(values) => {
                        let values = shown(&columns, values);
                        eprintln!("{job}  {round}/{repeats}  {name}: {values}");
                    }
                    Err(reason) => eprintln!("{job}  {name}: not measured, {reason}"),
                }
                found.add(outcome);
            }
        }
        let rows = contestants.iter().zip(found);
        Ok(Table {
            title: String::new(),
            label: String::new(),
            columns,
            rows: rows.map(|(who, found)| found.row(who)).collect(),
        })
    }

    /// Creates a result with the current date, machine and versions.
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

/// The reason for empty rows without a peer.
pub const NO_PEER: &str = "no peer was asked for (--with-peer or --peer-python PATH)";

/// Modules that all jobs of the peer import.
const NEEDED: [&str; 5] = ["torch", "transformers", "peft", "datasets", "accelerate"];

fn scripts() -> PathBuf {
    workspace::root().join("benches").join("peer")
}

fn requirements() -> PathBuf {
    scripts().join("requirements.txt")
}

/// Checks before any measurement that the peer's Python has the modules that every job needs.
fn check_peer(python: &Path) -> Result<()> {
    // The current folder must not be searched, since it contains a `datasets` too.
    let code = "import importlib.util as u, sys\n\
                sys.path = [path for path in sys.path if path]\n\
                print(*[name for name in sys.argv[1:] if u.find_spec(name) is None])";
    let mut command = Command::new(python);
    command.args(["-c", code]).args(NEEDED);
    let output = command
        .output()
        .with_context(|| format!("cannot start the peer's Python, {}", python.display()))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{} is not a working Python 3 ({}): {}",
        python.display(),
        output.status,
        errors.trim()
    );
    let missing = String::from_utf8_lossy(&output.stdout);
    let missing = missing.trim();
    ensure!(
        missing.is_empty(),
        "{} lacks {missing}; install what is in {}",
        python.display(),
        workspace::display(&requirements())
    );
    Ok(())
}

/// Acquires the lock that prevents two benchmarks from running at the same time.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("another `cargo xtask bench` is running"),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// Removes a file or a folder if it exists.
///
/// # Errors
/// Fails if it cannot be removed.
pub fn remove(path: &Path) -> Result<()> {
    let removed = match path.is_dir() {
        true => fs::remove_dir_all(path),
        false if path.exists() => fs::remove_file(path),
        false => Ok(()),
    };
    removed.with_context(|| format!("cannot remove {}", path.display()))
}

/// The values of a contestant in all rounds.
#[derive(Debug, Default)]
struct Found {
    values: BTreeMap<String, Vec<f64>>,
    absent: Option<String>,
}

impl Found {
    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Ok(values) => {
                for (key, value) in values {
                    self.values.entry(key.to_owned()).or_default().push(value);
                }
            }
            Err(reason) => self.absent = Some(reason),
        }
    }

    fn row(self, who: &Contestant) -> Row {
        let values = self.values.into_iter();
        Row {
            key: who.key.to_owned(),
            name: who.name.to_owned(),
            values: values
                .map(|(key, rounds)| (key, Measured::new(rounds)))
                .collect(),
            absent: self.absent,
            ..Row::default()
        }
    }
}

/// Formats the values of a round with the titles of their columns.
fn shown(columns: &[Column], values: &[(&str, f64)]) -> String {
    let shown = columns.iter().filter_map(|column| {
        let (_, value) = values.iter().find(|(key, _)| *key == column.key)?;
        Some(format!("{} {}", column.title, column.show(*value)))
    });
    shown.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: Contestant = Contestant {
        key: "ours",
        name: "Ours",
    };

    #[test]
    fn rounds_become_a_row_and_absence_its_reason() {
        let mut found = Found::default();
        found.add(Ok(vec![("speed", 3.0), ("bytes", 8.0)]));
        found.add(Ok(vec![("speed", 1.0), ("bytes", 8.0)]));
        let row = found.row(&WHO);
        assert_eq!(row.rounds("speed"), Some(&[3.0, 1.0][..]));
        assert_eq!((row.median("speed"), row.absent), (Some(2.0), None));
        let mut found = Found::default();
        found.add(Err("no Python".to_owned()));
        let row = found.row(&WHO);
        assert_eq!(row.absent.as_deref(), Some("no Python"));
        assert!(row.values.is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_python_that_cannot_be_the_peer_is_refused() {
        let refused = |python: &str| format!("{:#}", check_peer(Path::new(python)).unwrap_err());
        assert!(refused("no-such-python").contains("cannot start the peer's Python"));
        assert!(refused("false").contains("not a working Python 3"));
        // `echo` prints its arguments, as if all modules were missing.
        let missing = refused("echo");
        assert!(missing.contains("lacks"), "{missing}");
        assert!(missing.contains("requirements.txt"), "{missing}");
    }

    #[test]
    fn progress_has_the_titles_and_units_of_the_columns() {
        let columns = [Column::new("speed", "samples/s", 1), Column::peak_memory()];
        let values = [
            ("peak_memory_bytes", 1.234e9),
            ("speed", 12.34),
            ("other", 1.0),
        ];
        assert_eq!(shown(&columns, &values), "samples/s 12.3; peak, GB 1.23");
    }
}
