//! `finetune merge`: merges an adapter into its base model.

use std::{path::Path, process::ExitCode};

use finetune_data::has_tokenizer;
use finetune_files::{IoContext, publish_directory};
use finetune_models::{SavedModel, WEIGHTS};
use finetune_peft::AdapterFile;
use finetune_train::{ModelSettings, TrainError, device};

use crate::{
    cli::{
        args::{MergeArguments, ModelArguments},
        interrupt,
    },
    error::Failure,
    resolve::{model, run_model},
    view::{
        output::show,
        shell::{program, quote_path},
    },
};

/// The texts that the merged model is compared on.
const SAMPLES: [&str; 4] = [
    "A moving, beautifully acted film.",
    "A dull and pointless mess.",
    "It rained in the morning.",
    "What does it cost, and when can it be here?",
];

/// Merges an adapter into its base model.
///
/// # Errors
/// Fails if the adapter or its base model cannot be loaded or merged, or if the result cannot be written.
pub fn run(arguments: &MergeArguments) -> Result<ExitCode, Failure> {
    let device = device(&arguments.device)?;
    let directory = run_model::resolve(&arguments.adapter.display().to_string())?;
    let adapter = Path::new(&directory);
    let file = AdapterFile::read(adapter)?;
    let settings = ModelSettings::read(adapter)?;
    let check_free = || match arguments.output.symlink_metadata() {
        // A broken link exists too.
        Ok(_) => Err(Failure::User(format!(
            "{} already exists and is not overwritten; choose another --output",
            arguments.output.display()
        ))),
        Err(_) => Ok(()),
    };
    check_free()?;
    let open = ModelArguments {
        revision: None,
        model_base: arguments.model.clone(),
        labels: arguments.labels.clone(),
    };
    let mut classifier = model::classifier(&directory, None, &open, &device)?;
    let before = classifier.predict(&SAMPLES)?;
    classifier.merge_adapter()?;
    let after = classifier.predict(&SAMPLES)?;
    let difference = before
        .iter()
        .zip(&after)
        .flat_map(|(before, after)| before.logits.iter().zip(&after.logits))
        .map(|(before, after)| (before - after).abs())
        .fold(0.0, f32::max);
    let tokenizer_from = match has_tokenizer(adapter) {
        true => adapter.to_path_buf(),
        false => model::adapter_base(adapter, &file, &open)?.dir,
    };
    let model = classifier.model();
    if let Some(parent) = arguments.output.parent() {
        std::fs::create_dir_all(parent).context("make", parent)?;
    }
    // From here on, a signal has to wait until the partial directory is removed.
    interrupt::listen()?;
    let written = publish_directory(&arguments.output, |partial| -> Result<(), TrainError> {
        model.save_settings(partial, &tokenizer_from)?;
        if let Some(settings) = &settings {
            settings.write(partial)?;
        }
        model.save_weights(&partial.join(WEIGHTS))?;
        match interrupt::requested() {
            true => Err(TrainError::Interrupted),
            false => Ok(()),
        }
    });
    if let Err(error) = written {
        // Another process may have created the output first.
        check_free()?;
        return Err(error.into());
    }
    let (output, program) = (arguments.output.display(), program());
    let quoted = quote_path(&arguments.output);
    let text = match settings.is_some_and(|settings| settings.pairs()) {
        true => "--pair \"your text\" \"its second text\"",
        false => "\"your text\"",
    };
    show(&format!(
        "merged  {directory} into its base model, in f32; all weights are finite\n\
         check   logits of {} texts before and after differ by at most {difference:.1e}\n\
         saved   {output}\n\n\
         Next:\n  {program} predict --model {quoted} {text}\n",
        SAMPLES.len()
    ))?;
    Ok(ExitCode::SUCCESS)
}
