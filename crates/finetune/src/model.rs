//! From a model's name to its files, with progress.

use std::{path::Path, thread};

use burn::tensor::Device;
use finetune_hub::{FoundModel, Hub, HubError, ModelFiles, Progress, Source};
use finetune_peft::AdapterFile;
use finetune_train::{Classifier, TrainPlan};
use indicatif::ProgressBar;

use crate::{
    error::Failure,
    output::say,
    progress::{DOWNLOAD, bar},
};

/// Finds the files of a name; downloads show their progress.
pub fn find(name: &str, revision: Option<&str>) -> Result<FoundModel, Failure> {
    let mut current: Option<(String, ProgressBar)> = None;
    let files = Hub::from_env().find(name, revision, &mut |progress| match progress {
        Progress::Bytes { file, done, total } => {
            if current.as_ref().is_none_or(|(name, _)| *name != file) {
                let bar = bar(total.unwrap_or(0), DOWNLOAD);
                bar.set_message(file.clone());
                // Speed and ETA count from where a resumed download goes on.
                bar.set_position(done);
                bar.reset_eta();
                current = Some((file, bar));
            }
            if let Some((_, bar)) = &current {
                bar.set_position(done);
            }
        }
        Progress::Note(note) => say!("{note}"),
        _ => {}
    });
    if let Some((_, bar)) = current {
        bar.finish_and_clear();
    }
    Ok(files?)
}

/// The base model's files of a plan.
pub fn of_plan(plan: &TrainPlan) -> Result<FoundModel, Failure> {
    let revision = Some(plan.revision.as_str()).filter(|name| !name.is_empty());
    find(&plan.model, revision)
}

/// Weights that are verified on a thread of their own, while they are loaded.
pub struct Verification(thread::JoinHandle<Result<ModelFiles, HubError>>);

impl Verification {
    /// Begins.
    pub fn begin(found: &FoundModel) -> Result<Self, Failure> {
        let found = found.clone();
        let thread = thread::Builder::new().name("verifier".into());
        let thread = thread.spawn(|| found.verify());
        let failed = |error| Failure::Internal(format!("cannot start a thread: {error}"));
        thread.map(Self).map_err(failed)
    }

    /// Waits for the verdict. Nothing may be done with the weights before, and what is wrong with
    /// them is said before what it led to.
    pub fn wait(self) -> Result<ModelFiles, Failure> {
        let stopped = |_| Failure::Internal("the thread that verifies the weights stopped".into());
        Ok(self.0.join().map_err(stopped)??)
    }
}

/// Loads a saved model, or an adapter with the base model that it names, or the one given.
pub fn classifier(
    name: &str,
    revision: Option<&str>,
    base: Option<&str>,
    device: &Device,
) -> Result<Classifier, Failure> {
    let directory = Path::new(name);
    if !directory.join("adapter_config.json").exists() {
        let files = find(name, revision)?;
        let verification = Verification::begin(&files)?;
        let loaded = Classifier::load_on(&files.dir, device);
        verification.wait()?;
        return Ok(with_notes(loaded?));
    }
    let adapter = AdapterFile::read(directory)?;
    let base = base.unwrap_or(&adapter.base_model);
    if base.is_empty() {
        return Err(Failure::User(format!(
            "{name}/adapter_config.json does not name its base model (base_model_name_or_path)"
        )));
    }
    let files = find(base, revision.or(adapter.revision.as_deref()))?;
    let verification = Verification::begin(&files)?;
    let loaded = Classifier::load_adapter(&files.dir, directory, device);
    verification.wait()?;
    Ok(with_notes(loaded?))
}

/// Says what a person should know of a model's files.
fn with_notes(classifier: Classifier) -> Classifier {
    for note in classifier.notes() {
        say!("note: {note}");
    }
    classifier
}

/// Where a model's files came from, in words.
pub fn describe(source: Source) -> &'static str {
    match source {
        Source::Local => "a directory",
        Source::Cache => "from the cache",
        Source::Hub => "downloaded from the hub",
        Source::PackageIndex => "from its Python package",
    }
}
