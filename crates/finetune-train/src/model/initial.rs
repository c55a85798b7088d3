//! The model with new weights from which a run starts that trains an encoder from nothing.

use std::path::{Path, PathBuf};

use finetune_data::{TextTokenizer, has_tokenizer};
use finetune_infer::device;
use finetune_models::{SavedModel, SequenceClassifier};

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
        let model = SequenceClassifier::fresh(config, plan.seed, &device("cpu")?)?;
        model.save(&directory, files)?;
        Ok(directory)
    }
}
