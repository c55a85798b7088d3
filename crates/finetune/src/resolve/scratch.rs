//! Resolves `--init scratch`: the encoder and the tokenizer of a model with new weights.

use std::{fs, path::Path};

use finetune_files::IoContext;
use finetune_models::{EncoderConfig, EncoderSettings, Preset};
use finetune_train::ScratchPlan;

use crate::{
    cli::train_options::{InitialWeights, TrainOptions},
    error::Failure,
    resolve::special_files,
};

/// Maximum size of a description in bytes, far more than one has.
const LONGEST_FILE: u64 = 1 << 16;

/// Returns the encoder to train from nothing, unless the run starts from a model. Without a tokenizer of its own,
/// it has that of a teacher, if there is one.
///
/// # Errors
/// Fails if options contradict each other, or if the encoder is described wrongly.
pub fn scratch(
    options: &TrainOptions,
    teacher_tokenizer: Option<&String>,
) -> Result<Option<ScratchPlan>, Failure> {
    let needed = [
        ("--encoder", &options.encoder),
        ("--tokenizer", &options.tokenizer),
    ];
    if options.init != Some(InitialWeights::Scratch) {
        return match needed.into_iter().find(|(_, value)| value.is_some()) {
            Some((flag, _)) => Err(Failure::User(format!(
                "{flag} belongs to a model with new weights, but this one starts from a pretrained model; add --init scratch, or leave {flag} out"
            ))),
            None => Ok(None),
        };
    }
    let given = [
        ("--model", &options.model),
        ("--revision", &options.revision),
        ("--adapter", &options.adapter),
    ];
    if let Some((flag, _)) = given.into_iter().find(|(_, value)| value.is_some()) {
        return Err(Failure::User(format!(
            "with --init scratch all weights are new, so {flag} has no effect; leave one of them out"
        )));
    }
    let Some(named) = &options.encoder else {
        return Err(Failure::User(format!(
            "--init scratch needs --encoder: {}, or a TOML file that describes one",
            presets()
        )));
    };
    let Some(tokenizer) = options.tokenizer.as_ref().or(teacher_tokenizer) else {
        return Err(Failure::User(
            "--init scratch needs --tokenizer: a directory with tokenizer.json, such as that of a model, or one that `finetune tokenizer train` makes".into(),
        ));
    };
    Ok(Some(ScratchPlan {
        encoder: encoder(named)?,
        tokenizer: tokenizer.clone(),
    }))
}

/// Returns the encoder with the name of a preset, or that a TOML file describes.
///
/// # Errors
/// Fails if it is neither, or if the description is wrong.
pub fn encoder(named: &str) -> Result<EncoderConfig, Failure> {
    if let Some(preset) = Preset::from_name(named) {
        return Ok(preset.settings().resolve(named)?);
    }
    let path = Path::new(named);
    if !path.exists() {
        return Err(Failure::User(format!(
            "--encoder {named} is neither a preset ({}) nor a file",
            presets()
        )));
    }
    let what = "a TOML file that describes an encoder";
    special_files::refuse_file(path, what)?;
    let size = fs::metadata(path).context("read", path)?.len();
    if path.is_dir() || size > LONGEST_FILE {
        return Err(Failure::User(format!("--encoder {named} is not {what}")));
    }
    let bytes = fs::read(path).context("read", path)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(EncoderSettings::parse(&text, path)?.resolve(named)?)
}

fn presets() -> String {
    let names = Preset::ALL.map(Preset::name);
    let (last, others) = (names[names.len() - 1], &names[..names.len() - 1]);
    format!("{} or {last}", others.join(", "))
}
