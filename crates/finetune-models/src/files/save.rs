//! From a model to a directory that transformers opens.

use std::{collections::HashMap, fs, path::Path};

use burn::Tensor;
use finetune_files::publish_directory;
use finetune_peft::{NamedTensor, transpose, write_tensors};

use super::{CONFIG, WEIGHTS};
use crate::{ModelError, Parameter, SequenceClassifier, parameters, visit_parameters};

/// Files of a tokenizer that are copied beside the weights where they exist.
pub const TOKENIZER_FILES: [&str; 8] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "added_tokens.json",
];

impl SequenceClassifier {
    /// Writes `config.json`, `model.safetensors` and the tokenizer's files of `tokenizer_from` to
    /// `directory`, which must not exist: everything is written beside it and renamed at the end,
    /// so that the directory is whole or absent.
    ///
    /// # Errors
    /// A file that cannot be written, or a directory that is there already.
    pub fn save(&self, directory: &Path, tokenizer_from: &Path) -> Result<(), ModelError> {
        publish_directory(directory, |partial| {
            self.save_settings(partial, tokenizer_from)?;
            self.save_weights(&partial.join(WEIGHTS))
        })
    }

    /// Writes `config.json` and the tokenizer's files of `tokenizer_from` to `directory`, which
    /// exists: one that [`publish_directory`] publishes, which syncs the files.
    ///
    /// # Errors
    /// A file that cannot be read or written.
    pub fn save_settings(&self, directory: &Path, tokenizer_from: &Path) -> Result<(), ModelError> {
        let write = |name: &str, bytes: &[u8]| {
            let path = directory.join(name);
            fs::write(&path, bytes).map_err(ModelError::write(&path))
        };
        write(CONFIG, self.config().to_json().as_bytes())?;
        for name in TOKENIZER_FILES {
            let source = tokenizer_from.join(name);
            if source.exists() {
                write(name, &fs::read(&source).map_err(ModelError::read(&source))?)?;
            }
        }
        Ok(())
    }

    /// Writes all parameters under transformers' names, as f32.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn save_weights(&self, path: &Path) -> Result<(), ModelError> {
        write_tensors(path, self.file_tensors()).map_err(ModelError::write(path))
    }

    /// All parameters as `model.safetensors` has them. Nothing is copied: the tensors are shared
    /// with the model until they are written.
    pub fn file_tensors(&self) -> Vec<NamedTensor> {
        let tensors = self.named_tensors().into_iter();
        tensors
            .map(|(parameter, tensor)| NamedTensor {
                transposed: parameter.is_transposed(),
                name: parameter.name,
                shape: parameter.shape,
                tensor,
            })
            .collect()
    }

    /// All parameters with their description, flattened as the module holds them.
    pub fn named_tensors(&self) -> Vec<(Parameter, Tensor<1>)> {
        let mut tensors = HashMap::new();
        visit_parameters(self, &mut |id, visited| {
            tensors.insert(id.path.clone(), visited.values());
        });
        parameters(self.config())
            .into_iter()
            .filter_map(|parameter| {
                let tensor = tensors.remove(&parameter.path)?;
                Some((parameter, tensor))
            })
            .collect()
    }
}

/// Values of a parameter in the file's layout.
pub fn to_file_layout(parameter: &Parameter, values: Vec<f32>) -> Vec<f32> {
    match parameter.shape[..] {
        [out, input] if parameter.is_transposed() => transpose(&values, input, out),
        _ => values,
    }
}
