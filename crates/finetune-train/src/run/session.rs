//! A session in the manifest of a run, written when work begins and again when it ends.

use std::{
    path::{Path, PathBuf},
    time::{Instant, SystemTime},
};

use finetune_files::IoContext;
use finetune_peft::ADAPTER_WEIGHTS;
use serde_json::Value;

use crate::{
    FileFacts, MANIFEST_VERSION, MachineFacts, Manifest, ModelFacts, Outcome, ResultFacts,
    RunDirectory, RunInputs, Session, SessionEnd, SplitFacts, TrainData, TrainError, TrainPlan,
    run::lasting::lasting,
};

/// A session in progress.
#[derive(Debug)]
pub(crate) struct OpenSession {
    run: PathBuf,
    manifest: Manifest,
    started: Instant,
    /// Time spent before it began: reading the rows, and loading the model.
    before: (f64, f64),
    /// Time spent training.
    pub train_seconds: f64,
    /// Time spent evaluating the test rows.
    pub test_seconds: f64,
}

impl OpenSession {
    /// Writes the manifest with a new session. A damaged manifest is rewritten, and its error returned.
    ///
    /// # Errors
    /// Fails if a newer version wrote the manifest, or a file cannot be read or written.
    pub fn begin(
        run: &RunDirectory,
        plan: &TrainPlan,
        inputs: &RunInputs,
        first_step: u64,
    ) -> Result<(Self, Option<TrainError>), TrainError> {
        let (earlier, damage) = match Manifest::read(run.path()) {
            Err(error @ TrainError::Damaged { .. }) => (None, Some(error)),
            other => (other?, None),
        };
        let session = Session {
            started_at: now(),
            program: inputs.program.clone(),
            machine: MachineFacts::here(&plan.model.device),
            first_step,
            end: None,
        };
        let mut manifest = Manifest {
            schema_version: MANIFEST_VERSION,
            model: ModelFacts::of(plan, inputs.commit.clone(), &inputs.data)?,
            data: inputs.data.files()?,
            rows: SplitFacts::all(&inputs.data),
            seed: plan.seed,
            plan: plan.clone(),
            plan_sha256: plan.sha256()?,
            sessions: earlier.map(|earlier| earlier.sessions).unwrap_or_default(),
            result: None,
        };
        manifest.sessions.push(session);
        manifest.write(run.path())?;
        let session = Self {
            run: run.path().into(),
            manifest,
            started: Instant::now(),
            before: (inputs.data_seconds, inputs.model_seconds),
            train_seconds: 0.0,
            test_seconds: 0.0,
        };
        Ok((session, damage))
    }

    /// Ends the session. With `results` the run is complete.
    ///
    /// # Errors
    /// Fails if the weights cannot be read, or the manifest cannot be written.
    pub fn end(mut self, outcome: &Outcome, results: Option<&Value>) -> Result<(), TrainError> {
        let (data_seconds, model_seconds) = self.before;
        if let Some(session) = self.manifest.sessions.last_mut() {
            session.end = Some(SessionEnd {
                ended_at: now(),
                step: outcome.steps,
                reason: outcome.reason.clone(),
                data_seconds,
                model_seconds,
                train_seconds: self.train_seconds,
                test_seconds: self.test_seconds,
                seconds: data_seconds + model_seconds + self.started.elapsed().as_secs_f64(),
            });
        }
        if let Some(results) = results {
            self.manifest.result = Some(ResultFacts {
                weights: weights(&self.run)?,
                metrics: lasting(results),
            });
        }
        self.manifest.write(&self.run)
    }
}

/// Hashes the weights that a run left; their path is relative to its directory.
fn weights(run: &Path) -> Result<FileFacts, TrainError> {
    let adapter = Path::new("model").join(ADAPTER_WEIGHTS);
    let whole = Path::new("model").join("model.safetensors");
    let path = match run.join(&whole).exists() || !run.join(&adapter).exists() {
        true => whole,
        false => adapter,
    };
    Ok(FileFacts {
        path: path.clone(),
        ..hashed(&run.join(path))?
    })
}

fn hashed(path: &Path) -> Result<FileFacts, TrainError> {
    Ok(FileFacts::of(path).context("read", path)?)
}

impl ModelFacts {
    /// Describes a plan's base model, whose commit on the hub is `commit`, and the adapter that is
    /// trained further.
    ///
    /// # Errors
    /// Fails if the adapter cannot be read.
    pub fn of(
        plan: &TrainPlan,
        commit: Option<String>,
        data: &TrainData,
    ) -> Result<Self, TrainError> {
        let adapter = plan.model.adapter.as_ref();
        let adapter = adapter.map(|adapter| hashed(&Path::new(adapter).join(ADAPTER_WEIGHTS)));
        Ok(Self {
            name: plan.model.name.clone(),
            commit,
            weights_sha256: plan.model.sha256.clone(),
            tokenizer_sha256: data.train.tokenizer_hash_hex(),
            adapter_sha256: adapter.transpose()?.map(|file| file.sha256),
        })
    }
}

fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}
