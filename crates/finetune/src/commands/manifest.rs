//! Keeps the manifest of a run: from the facts of its first session to its result.

use std::{
    path::{Path, PathBuf},
    time::{Instant, SystemTime},
};

use finetune_files::IoContext;
use finetune_train::{
    FileFacts, MANIFEST_VERSION, Manifest, ModelFacts, Outcome, ResultFacts, RunDirectory, Session,
    SessionEnd, TrainError, TrainPlan,
};
use serde_json::Value;

use crate::{
    commands::machine::{machine, program},
    error::Failure,
    resolve::loaded::Loaded,
    view::{output::say, run_comparison::lasting},
};

/// The manifest of a run that is at work.
pub struct OpenManifest {
    run: PathBuf,
    manifest: Manifest,
    started: Instant,
}

/// How long the parts of a session took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seconds {
    pub data: f64,
    pub model: f64,
    pub train: f64,
    pub test: f64,
}

impl OpenManifest {
    /// Writes the facts of a run, or adds a session to those that are there.
    pub fn begin(
        run: &RunDirectory,
        plan: &TrainPlan,
        loaded: &Loaded,
        first_step: u64,
    ) -> Result<Self, Failure> {
        let earlier = match Manifest::read(run.path()) {
            Err(error @ TrainError::Damaged { .. }) => {
                say!("note: {error}; it is written anew, without the sessions so far");
                None
            }
            other => other?,
        };
        let session = Session {
            started_at: now(),
            program: program(),
            machine: machine(&plan.model.device),
            first_step,
            end: None,
        };
        let mut manifest = Manifest {
            schema_version: MANIFEST_VERSION,
            model: model(plan, loaded)?,
            data: loaded.data_files.clone(),
            seed: plan.seed,
            plan: plan.clone(),
            plan_sha256: plan.sha256()?,
            sessions: earlier.map(|earlier| earlier.sessions).unwrap_or_default(),
            result: None,
        };
        manifest.sessions.push(session);
        manifest.write(run.path())?;
        Ok(Self {
            run: run.path().into(),
            manifest,
            started: Instant::now(),
        })
    }

    /// Ends the session; with `results` the run is complete.
    pub fn end(
        mut self,
        outcome: &Outcome,
        seconds: Seconds,
        results: Option<&Value>,
    ) -> Result<(), Failure> {
        let Seconds {
            data,
            model,
            train,
            test,
        } = seconds;
        if let Some(session) = self.manifest.sessions.last_mut() {
            session.end = Some(SessionEnd {
                ended_at: now(),
                step: outcome.steps,
                reason: outcome.reason.clone(),
                data_seconds: data,
                model_seconds: model,
                train_seconds: train,
                test_seconds: test,
                seconds: data + model + self.started.elapsed().as_secs_f64(),
            });
        }
        if let Some(results) = results {
            self.manifest.result = Some(ResultFacts {
                weights: weights(&self.run)?,
                metrics: lasting(results),
            });
        }
        Ok(self.manifest.write(&self.run)?)
    }
}

/// The weights that a run left, by their path in its directory.
fn weights(run: &Path) -> Result<FileFacts, Failure> {
    let names = ["model/model.safetensors", "model/adapter_model.safetensors"];
    let name = names.into_iter().find(|name| run.join(name).exists());
    let name = name.unwrap_or(names[0]);
    Ok(FileFacts {
        path: name.into(),
        ..hashed(&run.join(name))?
    })
}

/// The base model, and the adapter that the run goes on with.
pub fn model(plan: &TrainPlan, loaded: &Loaded) -> Result<ModelFacts, Failure> {
    let adapter = plan.model.adapter.as_ref();
    let adapter =
        adapter.map(|adapter| hashed(&Path::new(adapter).join("adapter_model.safetensors")));
    Ok(ModelFacts {
        name: plan.model.name.clone(),
        commit: loaded.files.revision.clone(),
        weights_sha256: plan.model.sha256.clone(),
        tokenizer_sha256: loaded.tokenizer_sha256.clone(),
        adapter_sha256: adapter.transpose()?.map(|file| file.sha256),
    })
}

fn hashed(path: &Path) -> Result<FileFacts, Failure> {
    Ok(FileFacts::of(path).context("read", path)?)
}

fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}
