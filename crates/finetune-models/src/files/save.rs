//! Saves a model as a directory that transformers opens.

use std::{collections::HashMap, fs, path::Path};

use burn::Tensor;
use finetune_files::publish_directory;
use finetune_kernels::transpose;
use finetune_peft::{NamedTensor, write_tensors};

use super::{CONFIG, WEIGHTS};
use crate::{Described, ModelError, Parameter, visit_parameters};

/// Tokenizer files that are copied beside the weights if they exist.
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

/// A model that is saved as a directory which transformers opens.
pub trait SavedModel: Described {
    /// Lists the model's parameters as files have them.
    fn parameters(&self) -> Vec<Parameter>;

    /// Returns the text of `config.json`.
    fn config_json(&self) -> String;

    /// Writes `config.json`, `model.safetensors` and the tokenizer files of `tokenizer_from` to
    /// `directory`, which must not exist. Everything is written to a temporary directory and renamed at
    /// the end, so that `directory` is complete or absent.
    ///
    /// # Errors
    /// Fails if a file cannot be read or written, or if the directory exists and is not empty.
    fn save(&self, directory: &Path, tokenizer_from: &Path) -> Result<(), ModelError> {
        publish_directory(directory, |partial| {
            self.save_settings(partial, tokenizer_from)?;
            self.save_weights(&partial.join(WEIGHTS))
        })
    }

    /// Writes `config.json` and the tokenizer's files of `tokenizer_from` to `directory`, which
    /// exists: one that [`publish_directory`] publishes, which syncs the files.
    ///
    /// # Errors
    /// Fails if a file cannot be read or written.
    fn save_settings(&self, directory: &Path, tokenizer_from: &Path) -> Result<(), ModelError> {
        let write = |name: &str, bytes: &[u8]| {
            let path = directory.join(name);
            fs::write(&path, bytes).map_err(ModelError::write(&path))
        };
        write(CONFIG, self.config_json().as_bytes())?;
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
    /// Fails if the file cannot be written.
    fn save_weights(&self, path: &Path) -> Result<(), ModelError> {
        write_tensors(path, self.file_tensors()).map_err(ModelError::write(path))
    }

    /// Returns all parameters under the names and in the layout of `model.safetensors`. Nothing is
    /// copied: the tensors are shared with the model until they are written.
    fn file_tensors(&self) -> Vec<NamedTensor> {
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

    /// Returns all parameters with their descriptions, as flat tensors in the model's layout.
    fn named_tensors(&self) -> Vec<(Parameter, Tensor<1>)> {
        let mut tensors = HashMap::new();
        visit_parameters(self, &mut |id, visited| {
            tensors.insert(id.path.clone(), visited.values());
        });
        self.parameters()
            .into_iter()
            .filter_map(|parameter| {
                let tensor = tensors.remove(&parameter.path)?;
                Some((parameter, tensor))
            })
            .collect()
    }
}

/// Converts the values of a parameter from the model's layout to that of the file.
pub fn to_file_layout(parameter: &Parameter, values: Vec<f32>) -> Vec<f32> {
    match parameter.shape[..] {
        [out, input] if parameter.is_transposed() => transpose(&values, input, out),
        _ => values,
    }
}
