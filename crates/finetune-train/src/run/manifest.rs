//! `manifest.json` in a run directory: where the run was made, and from what.
//!
//! The same plan on the same data and machine gives the same manifest, except for times, whose fields
//! end in `_at` or `seconds`.

use std::{io, path::Path};

use finetune_files::FileError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{FileFacts, SplitFacts, StopReason, TrainError, TrainPlan, run::write::write_json};

/// Version of the manifest's format, incremented when a field changes its meaning or is removed.
pub const MANIFEST_VERSION: u32 = 1;

/// Everything needed to judge and repeat a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`MANIFEST_VERSION`].
    pub schema_version: u32,
    /// The base model.
    pub model: ModelFacts,
    /// The files that rows may come from.
    pub data: Vec<FileFacts>,
    /// The training, validation and test rows; empty in manifests of earlier versions.
    #[serde(default)]
    pub rows: Vec<SplitFacts>,
    /// Seed for sampling and ordering rows, initializing the head, and dropout.
    pub seed: u64,
    /// The plan, as `plan.toml` has it.
    pub plan: TrainPlan,
    /// SHA-256 of the plan as TOML when the manifest was written.
    #[serde(default)]
    pub plan_sha256: String,
    /// All sessions of the run, in order. A session that was killed has no end.
    pub sessions: Vec<Session>,
    /// The result, once the run is complete.
    pub result: Option<ResultFacts>,
}

/// A program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramFacts {
    /// Its version.
    pub version: String,
    /// The commit it was built from; `unknown` if it cannot be determined.
    pub git_commit: String,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineFacts {
    /// The operating system, with its version where the system reports it.
    pub os: String,
    /// The processor's architecture.
    pub architecture: String,
    /// The processor's name; `unknown` if the system does not report it.
    pub cpu: String,
    /// The processor's features that computations may use.
    pub cpu_features: Vec<String>,
    /// Number of threads that share the work.
    pub threads: usize,
    /// The model's device.
    pub device: String,
}

/// A base model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// Its name.
    pub name: String,
    /// Its commit, if it comes from the hub.
    pub commit: Option<String>,
    /// SHA-256 of its weights.
    pub weights_sha256: String,
    /// SHA-256 of its `tokenizer.json`, or of all files that define the tokenizer.
    pub tokenizer_sha256: String,
    /// SHA-256 of the weights of the adapter that was trained further.
    pub adapter_sha256: Option<String>,
}

/// The work of one process on a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// When it began (RFC 3339, UTC).
    pub started_at: String,
    /// The program.
    pub program: ProgramFacts,
    /// The machine.
    pub machine: MachineFacts,
    /// Optimizer steps done before.
    pub first_step: u64,
    /// How it ended; `None` if it was killed or is still running.
    pub end: Option<SessionEnd>,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionEnd {
    /// When it ended (RFC 3339, UTC).
    pub ended_at: String,
    /// Optimizer steps done.
    pub step: u64,
    /// The reason.
    pub reason: StopReason,
    /// Time spent finding, reading and tokenizing the rows.
    pub data_seconds: f64,
    /// Time spent loading the model.
    pub model_seconds: f64,
    /// Time spent training, including evaluations of the validation rows.
    pub train_seconds: f64,
    /// Time spent evaluating the test rows.
    pub test_seconds: f64,
    /// Total time.
    pub seconds: f64,
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResultFacts {
    /// The weights in `model/`.
    pub weights: FileFacts,
    /// The metrics, as `results.json` has them.
    pub metrics: Value,
}

impl Manifest {
    /// The file's name in a run directory.
    pub const FILE: &str = "manifest.json";

    /// Reads the manifest of a run directory; `None` if there is none.
    ///
    /// # Errors
    /// Fails with [`TrainError::File`] if it cannot be read, [`TrainError::NoRun`] if a newer version
    /// wrote it, and [`TrainError::Damaged`] if its content is invalid.
    pub fn read(run: &Path) -> Result<Option<Self>, TrainError> {
        let problem = |problem: String| TrainError::NoRun {
            path: run.into(),
            problem: format!("{}: {problem}", Self::FILE),
        };
        let text = match std::fs::read(run.join(Self::FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FileError::new("read", &run.join(Self::FILE), error).into()),
        };
        let damaged = |error: serde_json::Error| TrainError::Damaged {
            path: run.join(Self::FILE),
            problem: error.to_string(),
        };
        let json: Value = serde_json::from_slice(&text).map_err(damaged)?;
        let version = json["schema_version"].as_u64().unwrap_or(0);
        if version > u64::from(MANIFEST_VERSION) {
            return Err(problem(format!(
                "a newer version wrote it (schema_version {version}, this program reads up to {MANIFEST_VERSION}); update finetune"
            )));
        }
        Ok(Some(serde_json::from_value(json).map_err(damaged)?))
    }

    /// Returns the plan if it is unchanged since the manifest was written, which manifests of earlier
    /// versions cannot tell.
    pub fn verified_plan(self) -> Option<TrainPlan> {
        let known = !self.plan_sha256.is_empty();
        let found = self.plan.sha256().ok()?;
        (!known || self.plan_sha256 == found).then_some(self.plan)
    }

    /// Writes the manifest to a run directory, under a temporary name that is synced and renamed.
    ///
    /// # Errors
    /// Fails with [`TrainError::File`].
    pub fn write(&self, run: &Path) -> Result<(), TrainError> {
        let json = serde_json::to_value(self)
            .map_err(|error| TrainError::Internal(format!("cannot write the manifest: {error}")))?;
        write_json(&run.join(Self::FILE), &json)
    }
}
