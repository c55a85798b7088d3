//! The model with new weights from which a run starts that trains an encoder from nothing.

use std::{
    fs,
    path::{Path, PathBuf},
};

use finetune_data::{TextTokenizer, has_tokenizer};
use finetune_files::{IoContext, publish_directory};
use finetune_infer::device;
use finetune_models::{MaskedLm, SavedModel, SequenceClassifier, WEIGHTS};
use serde_json::{Map, Value, json};

use crate::{ScratchPlan, TrainError, TrainPlan, layout::INITIAL};

/// The names that tokenizers give to their padding token.
const PADDING: [&str; 3] = ["[PAD]", "<pad>", "[pad]"];

impl ScratchPlan {
    /// Returns the directory of the initial model of the run in `run`, which is created if it is not
    /// there. Its weights are a function of the encoder, the number of words and outputs, and the seed.
    ///
    /// # Errors
    /// Fails if the tokenizer cannot be read, or a file cannot be written.
    pub fn initial_model(&self, plan: &TrainPlan, run: &Path) -> Result<PathBuf, TrainError> {
        let directory = run.join(INITIAL);
        if directory.exists() {
            return Ok(directory);
        }
        let files = Path::new(&self.tokenizer);
        if !has_tokenizer(files) {
            return Err(TrainError::NoTokenizer {
                directory: files.into(),
            });
        }
        let tokenizer = TextTokenizer::from_directory(files)?;
        let padding = PADDING.iter().find_map(|name| tokenizer.token_to_id(name));
        let config = self
            .encoder
            .model_config(tokenizer.vocab_size(), padding, plan.outputs())?;
        let has_types = config.type_vocab_size > 0;
        let (seed, device) = (plan.seed, device("cpu")?);
        publish_directory(&directory, |partial| {
            // Without labels there are no outputs that a classifier could have.
            match plan.pretraining {
                Some(_) => write(&MaskedLm::fresh(config, seed, &device)?, partial, files)?,
                None => write(
                    &SequenceClassifier::fresh(config, seed, &device)?,
                    partial,
                    files,
                )?,
            }
            keep_reading(partial, &tokenizer, has_types)
        })?;
        Ok(directory)
    }
}

/// Writes the model and the tokenizer's `files` to an existing directory.
fn write(model: &impl SavedModel, directory: &Path, files: &Path) -> Result<(), TrainError> {
    model.save_settings(directory, files)?;
    Ok(model.save_weights(&directory.join(WEIGHTS))?)
}

/// Makes the tokenizer of a model directory the given one. Without a class, it is read as those of the
/// model's family are, which a tokenizer of another kind need not survive.
fn keep_reading(
    directory: &Path,
    tokenizer: &TextTokenizer,
    has_types: bool,
) -> Result<(), TrainError> {
    let path = directory.join("tokenizer_config.json");
    let mut settings: Map<String, Value> = match path.exists() {
        true => {
            let bytes = fs::read(&path).context("read", &path)?;
            serde_json::from_slice(&bytes).unwrap_or_default()
        }
        false => Map::new(),
    };
    let read = TextTokenizer::from_directory(directory);
    let is_same = read.is_ok_and(|read| read.hash() == tokenizer.hash());
    if is_same || settings.contains_key("tokenizer_class") {
        return Ok(());
    }
    settings.insert("tokenizer_class".into(), json!("PreTrainedTokenizerFast"));
    if has_types {
        let inputs = json!(["input_ids", "token_type_ids", "attention_mask"]);
        settings.entry("model_input_names").or_insert(inputs);
    }
    let text = format!("{:#}\n", Value::Object(settings));
    Ok(fs::write(&path, text).context("write", &path)?)
}
