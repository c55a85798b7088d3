//! Hashes of the base model's files that decide what it computes.

use std::{collections::BTreeMap, path::Path};

use finetune_files::IoContext;
use finetune_models::{CONFIG, TOKENIZER_FILES, weight_files};
use finetune_peft::{ADAPTER_CONFIG, ADAPTER_WEIGHTS};
use sha2::{Digest, Sha256};

use crate::{FileFacts, ModelPlan, TrainError, file_facts::hex, plan::changed_keys::changed_keys};

impl ModelPlan {
    /// Returns the SHA-256 of the weights in `base`, as stored in [`sha256`](Self::sha256): that of the
    /// single file, or that of the list of the index and its shards in the format of `sha256sum`.
    ///
    /// # Errors
    /// Fails if there are no weights, or they cannot be read.
    pub fn hash_weights(base: &Path) -> Result<String, TrainError> {
        let mut list = Vec::new();
        for path in weight_files(base)? {
            let facts = FileFacts::of(&path).context("read", &path)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            list.push((facts.sha256, name.into_owned()));
        }
        if let [(only, _)] = list.as_slice() {
            return Ok(only.clone());
        }
        let lines = list.iter().map(|(sum, name)| format!("{sum}  {name}\n"));
        let lines: String = lines.collect();
        Ok(hex(Sha256::new().chain_update(lines)))
    }

    /// Sets [`vectors_sha256`](Self::vectors_sha256) to the hash of the file of word vectors, if the plan
    /// names one and has no hash yet.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn identify_vectors(&mut self) -> Result<(), TrainError> {
        if let (Some(path), true) = (&self.vectors, self.vectors_sha256.is_empty()) {
            let path = Path::new(path);
            finetune_data::regular_file(path)?;
            self.vectors_sha256 = FileFacts::of(path).context("read", path)?.sha256;
        }
        Ok(())
    }

    /// Computes [`files`](Self::files) anew: the hashes of the files in `base`, the base model's
    /// directory, and under `adapter/` those of the adapter to train further, if there is one.
    ///
    /// # Errors
    /// Fails if a file cannot be read.
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

    /// Checks that the base model's files have not changed since the run began, before it is resumed or
    /// repeated.
    ///
    /// # Errors
    /// Fails like [`hash_files`](Self::hash_files), and with [`TrainError::ChangedFiles`], which lists
    /// the files that differ.
    pub fn check_files(&self, base: &Path) -> Result<(), TrainError> {
        // Plans of earlier versions have no hashes.
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
                format!(
                    "  {name}: its SHA-256 is {}, but was {}",
                    hash(now),
                    hash(was)
                )
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn sha256(bytes: &[u8]) -> String {
        hex(Sha256::new().chain_update(bytes))
    }

    #[test]
    fn a_single_file_is_hashed_itself_and_shards_by_their_list() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
        assert!(ModelPlan::hash_weights(folder.path()).is_err());
        let index = br#"{"weight_map": {"b": "two.safetensors", "a": "one.safetensors"}}"#;
        write("model.safetensors.index.json", index);
        write("one.safetensors", b"1");
        write("two.safetensors", b"2");
        let list = format!(
            "{}  model.safetensors.index.json\n{}  one.safetensors\n{}  two.safetensors\n",
            sha256(index),
            sha256(b"1"),
            sha256(b"2")
        );
        let found = ModelPlan::hash_weights(folder.path()).unwrap();
        assert_eq!(found, sha256(list.as_bytes()));
        // A single file takes precedence.
        write("model.safetensors", b"whole");
        let found = ModelPlan::hash_weights(folder.path()).unwrap();
        assert_eq!(found, sha256(b"whole"));
    }
}
