//! Fingerprints of the files, besides the weights, that decide what a base model computes.

use std::{collections::BTreeMap, path::Path};

use finetune_models::{CONFIG, TOKENIZER_FILES};
use finetune_peft::{ADAPTER_CONFIG, ADAPTER_WEIGHTS};

use finetune_files::IoContext;

use crate::{FileFacts, ModelPlan, TrainError, plan::changed_keys::changed_keys};

impl ModelPlan {
    /// [`files`](Self::files) as they are now: those in `base`, the base model's
    /// directory, and with an adapter to go on with its own, under `adapter/`.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn hash_files(&self, base: &Path) -> Result<BTreeMap<String, String>, TrainError> {
        let mut hashes = BTreeMap::new();
        let mut add = |directory: &Path, name: &str, key: String| {
            let path = directory.join(name);
            if path.exists() {
                let facts = FileFacts::of(&path).context("read", &path)?;
                hashes.insert(key, facts.sha256);
            }
            Ok::<(), TrainError>(())
        };
        for name in [CONFIG].into_iter().chain(TOKENIZER_FILES) {
            add(base, name, name.into())?;
        }
        if let Some(adapter) = &self.adapter {
            for name in [ADAPTER_CONFIG, ADAPTER_WEIGHTS, CONFIG] {
                add(Path::new(adapter), name, format!("adapter/{name}"))?;
            }
        }
        Ok(hashes)
    }

    /// Refuses to go on or to repeat the run where one of its base model's files is not what it was.
    ///
    /// # Errors
    /// As [`hash_files`](Self::hash_files); a difference, by file.
    pub fn check_files(&self, base: &Path) -> Result<(), TrainError> {
        // Plans of earlier versions have none.
        if self.files.is_empty() {
            return Ok(());
        }
        let now = self.hash_files(base)?;
        let hash = |hash: Option<&String>| match hash {
            Some(hash) => hash.clone(),
            None => "none (there is no such file)".into(),
        };
        let changed: Vec<_> = changed_keys(&self.files, &now)
            .map(|(name, was, now)| {
                format!("  {name}: its SHA-256 is {}, was {}", hash(now), hash(was))
            })
            .collect();
        match changed.is_empty() {
            true => Ok(()),
            false => Err(TrainError::ChangedFiles {
                model: self.name.clone(),
                changed,
            }),
        }
    }
}
