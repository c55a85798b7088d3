//! Finds, verifies and loads the files of a named model.

use std::{path::Path, thread};

use burn::tensor::Device;
use finetune_hub::{FoundModel, Hub, HubError, ModelFiles, Source};
use finetune_models::{ModelConfig, parameters};
use finetune_peft::{ADAPTER_CONFIG, AdapterFile};
use finetune_train::{Classifier, TrainPlan};

use crate::{
    cli::args::ModelArguments,
    error::Failure,
    resolve::{distillation, download::shown, run_model, special_files},
    view::{output::say, progress::count},
};

/// Finds the files of a model by name and shows the progress of downloads.
///
/// # Errors
/// Fails if the model cannot be found or downloaded.
pub fn find(name: &str, revision: Option<&str>) -> Result<FoundModel, Failure> {
    special_files::refuse_in(Path::new(name))?;
    shown(|report| Hub::from_env().find(name, revision, report))
}

/// Finds the files of a plan's base model. One with new weights, or with layers of a teacher, is written into
/// the run's directory.
///
/// # Errors
/// Fails if the model cannot be found, downloaded or written.
pub fn of_plan(plan: &TrainPlan) -> Result<FoundModel, Failure> {
    if let Some(scratch) = &plan.model.scratch {
        let directory = scratch.initial_model(plan, Path::new(&plan.saving.output))?;
        return find(&directory.display().to_string(), None);
    }
    if let Some(student) = distillation::student(plan)? {
        return find(&student.display().to_string(), None);
    }
    let revision = plan.model.revision.as_deref();
    let found = find(&plan.model.name, revision);
    found.map_err(|error| {
        let Some(directory) = plan.model.adapter.as_ref().map(Path::new) else {
            return error;
        };
        match AdapterFile::read(directory) {
            Ok(file) if file.base_model == plan.model.name => missing_base(directory, &file, error),
            _ => error,
        }
    })
}

/// A verification of weights on a separate thread, while they are loaded.
pub struct Verification(thread::JoinHandle<Result<ModelFiles, HubError>>);

impl Verification {
    /// Starts the verification.
    ///
    /// # Errors
    /// Fails if no thread can be started.
    pub fn begin(found: &FoundModel) -> Result<Self, Failure> {
        let found = found.clone();
        let thread = thread::Builder::new().name("verifier".into());
        let thread = thread.spawn(|| found.verify());
        let failed = |error| Failure::Internal(format!("cannot start a thread: {error}"));
        thread.map(Self).map_err(failed)
    }

    /// Waits for the result. Call this before using the weights and before reporting an error of
    /// loading them, which damaged weights may have caused.
    ///
    /// # Errors
    /// Fails if the weights are damaged.
    pub fn wait(self) -> Result<ModelFiles, Failure> {
        let stopped = |_| Failure::Internal("the thread that verifies the weights panicked".into());
        Ok(self.0.join().map_err(stopped)??)
    }
}

/// Loads a saved model, or an adapter on the base model that is given or that it names. `found` has the
/// model's files if they have already been found.
///
/// # Errors
/// Fails if a file is missing or damaged, or if an option does not fit the model.
pub fn classifier(
    name: &str,
    found: Option<&FoundModel>,
    open: &ModelArguments,
    device: &Device,
) -> Result<Classifier, Failure> {
    let directory = Path::new(name);
    let mut classifier = match directory.join(ADAPTER_CONFIG).exists() {
        true => adapter(directory, open, device)?,
        false if open.model_base.is_some() => {
            return Err(Failure::User(format!(
                "--model-base names the base model of an adapter, but {name} is not one (it has no {ADAPTER_CONFIG}); leave it out"
            )));
        }
        false => {
            let files = match found {
                Some(found) => found.clone(),
                None => find(name, open.revision.as_deref())?,
            };
            let verification = Verification::begin(&files)?;
            let loaded = Classifier::load_on(&files.dir, device);
            verification.wait()?;
            loaded?
        }
    };
    if !open.labels.is_empty() {
        let named = classifier.name_labels(&open.labels);
        named.map_err(|error| Failure::User(format!("--labels: {error}")))?;
    }
    for note in classifier.notes() {
        say!("note: {note}");
    }
    Ok(classifier)
}

fn adapter(
    directory: &Path,
    open: &ModelArguments,
    device: &Device,
) -> Result<Classifier, Failure> {
    let file = AdapterFile::read(directory)?;
    let files = adapter_base(directory, &file, open)?;
    let verification = Verification::begin(&files)?;
    let loaded = Classifier::load_adapter(&files.dir, directory, device);
    verification.wait()?;
    Ok(loaded?)
}

/// Finds the files of an adapter's base model.
///
/// # Errors
/// Fails if the base model is not named, or cannot be found or downloaded.
pub fn adapter_base(
    directory: &Path,
    file: &AdapterFile,
    open: &ModelArguments,
) -> Result<FoundModel, Failure> {
    let revision = open.revision.as_deref().or(file.revision.as_deref());
    match &open.model_base {
        Some(base) => find(&run_model::resolve(base)?, revision),
        None => {
            let base = base_name(directory, file)?;
            find(&base, revision).map_err(|error| missing_base(directory, file, error))
        }
    }
}

/// Returns the base model that an adapter names. A directory may be relative to the current directory,
/// as in peft, or else to the adapter.
///
/// # Errors
/// Fails if the adapter names no base model.
pub fn base_name(directory: &Path, file: &AdapterFile) -> Result<String, Failure> {
    if file.base_model.is_empty() {
        return Err(Failure::User(format!(
            "{} does not name its base model (base_model_name_or_path); name it with --model-base",
            directory.join(ADAPTER_CONFIG).display()
        )));
    }
    let found = file.base_directory(directory);
    let found = found.map(|path| path.display().to_string());
    Ok(match found {
        Some(path) if path != file.base_model => {
            say!("note: the base model is {path}, relative to the adapter's directory");
            path
        }
        _ => file.base_model.clone(),
    })
}

/// Adds to an error the base model that an adapter names, and advice.
pub fn missing_base(directory: &Path, file: &AdapterFile, error: Failure) -> Failure {
    error.with_message(|problem| {
        format!(
            "the base model \"{}\" that {} names: {problem}\nIf it is somewhere else, name it with --model-base DIR",
            file.base_model,
            directory.join(ADAPTER_CONFIG).display()
        )
    })
}

/// Describes the base model of a plan and where its files came from.
pub fn described(plan: &TrainPlan, files: &FoundModel, config: &ModelConfig) -> String {
    if let Some(layers) = distillation::described_layers(plan) {
        return format!(
            "{layers} ({}, width {})",
            config.family.model_type, config.hidden_size
        );
    }
    let Some(scratch) = &plan.model.scratch else {
        return format!("{} ({})", files.name, describe(files.source));
    };
    let elements: usize = parameters(config).iter().map(|p| p.num_elements()).sum();
    format!(
        "new weights: {} layers of width {}, {} words, {} parameters ({}; tokenizer {})",
        config.num_hidden_layers,
        config.hidden_size,
        count(config.vocab_size as u64),
        count(elements as u64),
        config.family.model_type,
        scratch.tokenizer
    )
}

/// Describes where a model's files came from.
fn describe(source: Source) -> &'static str {
    match source {
        Source::Local => "a directory",
        Source::Cache => "from the cache",
        Source::Hub => "downloaded from the hub",
        Source::PackageIndex => "from its Python package",
    }
}
