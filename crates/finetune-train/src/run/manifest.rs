//! What a run was made from and where: `manifest.json` in its directory.
//!
//! The same plan on the same data and machine gives the same manifest, but for fields that end in
//! `_at` or `seconds`, which are times.

use std::{io, path::Path};

use finetune_files::FileError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{FileFacts, StopReason, TrainError, TrainPlan, run::write::write_json};

/// Version of the manifest's form. Raised when a field changes its meaning or goes away.
pub const MANIFEST_VERSION: u32 = 1;

/// All that a run can be judged and repeated by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`MANIFEST_VERSION`].
    pub schema_version: u32,
    /// The base model.
    pub model: ModelFacts,
    /// The files that rows may come from.
    pub data: Vec<FileFacts>,
    /// Seed of the rows drawn, their order, the head's first weights and dropout.
    pub seed: u64,
    /// The plan, as `plan.toml` has it.
    pub plan: TrainPlan,
    /// SHA-256 of the plan as TOML: what it was when this was written.
    #[serde(default)]
    pub plan_sha256: String,
    /// Each time that the run was worked on, in order. A session that was killed has no end.
    pub sessions: Vec<Session>,
    /// What came out, once the run is complete.
    pub result: Option<ResultFacts>,
}

/// A program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramFacts {
    /// Its version.
    pub version: String,
    /// The commit that was checked out when it was built; `unknown` where that cannot be known.
    pub git_commit: String,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineFacts {
    /// The operating system, with its version where it says it.
    pub os: String,
    /// The processor's architecture.
    pub architecture: String,
    /// The processor's name; `unknown` where the system does not say it.
    pub cpu: String,
    /// Those of its features that arithmetic may use.
    pub cpu_features: Vec<String>,
    /// Threads that work is spread over.
    pub threads: usize,
    /// The device of the model.
    pub device: String,
}

/// A base model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// Its name.
    pub name: String,
    /// The commit on the hub, where it is from there.
    pub commit: Option<String>,
    /// SHA-256 of its weights.
    pub weights_sha256: String,
    /// SHA-256 of its `tokenizer.json`, or of what makes tokens where other files do too.
    pub tokenizer_sha256: String,
    /// SHA-256 of the weights of the adapter that the run went on with.
    pub adapter_sha256: Option<String>,
}

/// One stretch of work on a run, by one process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// When it began, RFC 3339, UTC.
    pub started_at: String,
    /// The program.
    pub program: ProgramFacts,
    /// The machine.
    pub machine: MachineFacts,
    /// Steps that were done already.
    pub first_step: u64,
    /// How it ended; none if it was killed, or is at work.
    pub end: Option<SessionEnd>,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionEnd {
    /// When, RFC 3339, UTC.
    pub ended_at: String,
    /// Steps that were done.
    pub step: u64,
    /// Why.
    pub reason: StopReason,
    /// Time to find, read and tokenize the rows.
    pub data_seconds: f64,
    /// Time to load the model.
    pub model_seconds: f64,
    /// Time of training, evaluations of the validation rows included.
    pub train_seconds: f64,
    /// Time to evaluate the test rows.
    pub test_seconds: f64,
    /// Time of it all.
    pub seconds: f64,
}

/// What a run left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResultFacts {
    /// The weights in `model/`.
    pub weights: FileFacts,
    /// The metrics, as `results.json` has them.
    pub metrics: Value,
}

impl Manifest {
    /// Its name in a run directory.
    pub const FILE: &str = "manifest.json";

    /// Reads the manifest of a run directory; `None` if there is none.
    ///
    /// # Errors
    /// [`TrainError::NoRun`] if it cannot be read, or a newer version wrote it; [`TrainError::Damaged`].
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

    /// The plan, if it is what it was when the manifest was written. Manifests of earlier versions do
    /// not know.
    pub fn verified_plan(self) -> Option<TrainPlan> {
        let known = !self.plan_sha256.is_empty();
        let found = self.plan.sha256().ok()?;
        (!known || self.plan_sha256 == found).then_some(self.plan)
    }

    /// Writes it into a run directory: beside its place, synced, renamed.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub fn write(&self, run: &Path) -> Result<(), TrainError> {
        let json = serde_json::to_value(self)
            .map_err(|error| TrainError::Internal(format!("cannot write the manifest: {error}")))?;
        write_json(&run.join(Self::FILE), &json)
    }
}
