//! A trained model that another one learns from.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use finetune_data::has_tokenizer;
use finetune_files::{IoContext, publish_directory};
use finetune_infer::{AdapterOutputs, Classifier};
use finetune_models::{
    CONFIG, ModelConfig, SavedModel, SequenceClassifier, TOKENIZER_FILES, WEIGHTS, weight_files,
};
use finetune_peft::{ADAPTER_CONFIG, ADAPTER_WEIGHTS};
use finetune_task::Task;
use sha2::{Digest, Sha256};

use crate::{
    DistillationPlan, FileFacts, TrainError, file_facts::hex, layout::INITIAL, model::head::Head,
};

/// A model directory, or an adapter's on its base model, from which a student learns. Its weights are only
/// read when they are needed.
#[derive(Clone, Debug)]
pub struct Teacher {
    directory: PathBuf,
    /// Directory of an adapter's base model.
    base: Option<PathBuf>,
    /// The configuration, with the teacher's own outputs.
    config: ModelConfig,
}

impl Teacher {
    /// Opens the model in `directory`, or the adapter on the model in `base`.
    ///
    /// # Errors
    /// Fails if a configuration is missing or invalid.
    pub fn open(directory: &Path, base: Option<&Path>) -> Result<Self, TrainError> {
        let config = match base {
            None => ModelConfig::from_directory(directory)?,
            Some(base) => {
                let config = ModelConfig::from_directory(base)?;
                let outputs = AdapterOutputs::read(directory, &config)?.outputs;
                config.with_outputs(outputs)
            }
        };
        Ok(Self {
            directory: directory.into(),
            base: base.map(Path::to_path_buf),
            config,
        })
    }

    /// Returns the configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Returns the directory with the tokenizer.
    pub fn tokenizer_directory(&self) -> &Path {
        match &self.base {
            Some(base) if !has_tokenizer(&self.directory) => base,
            _ => &self.directory,
        }
    }

    /// Returns the SHA-256 of the list of the files that decide what the teacher computes, in the format of
    /// `sha256sum`.
    ///
    /// # Errors
    /// Fails if there are no weights, or a file cannot be read.
    pub fn hash(&self) -> Result<String, TrainError> {
        let mut files = weight_files(self.base.as_ref().unwrap_or(&self.directory))?;
        for directory in self.base.iter().chain([&self.directory]) {
            let names = [CONFIG, ADAPTER_CONFIG, ADAPTER_WEIGHTS].into_iter();
            let names = names.chain(TOKENIZER_FILES);
            let paths = names.map(|name| directory.join(name));
            files.extend(paths.filter(|path| path.exists()));
        }
        let mut list = Sha256::new();
        for path in files {
            let facts = FileFacts::of(&path).context("read", &path)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            list.update(format!("{}  {name}\n", facts.sha256));
        }
        Ok(hex(list))
    }

    /// Returns the place of each of the student's `outputs` among the teacher's, and a note on how their
    /// names were matched, if they differ.
    ///
    /// # Errors
    /// Fails with [`TrainError::TeacherLabels`] if the teacher predicts something else, or if it has no trained
    /// classifier.
    pub fn order(
        &self,
        outputs: &Task,
        by_position: bool,
    ) -> Result<(Vec<usize>, Option<String>), TrainError> {
        match Head::choose(&self.config.outputs, outputs, by_position) {
            Head::Kept { order, note } => Ok((
                order,
                note.map(|note| format!("the teacher's head: {note}")),
            )),
            Head::Fresh { why } => {
                // That it has no classifier says more than that labels which nobody gave it differ.
                self.load_own(&finetune_infer::device("cpu")?)?;
                Err(TrainError::TeacherLabels {
                    teacher: self.directory.clone(),
                    why,
                })
            }
        }
    }

    /// Checks that a student that `config` describes can imitate what the plan says of the teacher's
    /// encoder. `same_tokens` says whether both have the same tokens for a text.
    ///
    /// # Errors
    /// Fails with [`TrainError::OtherTokens`] or [`TrainError::NotComparable`].
    pub fn check_encoder(
        &self,
        plan: &DistillationPlan,
        config: &ModelConfig,
        same_tokens: bool,
    ) -> Result<(), TrainError> {
        let (teacher, student) = (&self.config, config);
        for (flag, weight, key, teacher, student) in [
            (
                "--cosine-weight",
                plan.cosine_weight,
                "hidden_size",
                teacher.hidden_size,
                student.hidden_size,
            ),
            (
                "--attention-weight",
                plan.attention_weight,
                "num_attention_heads",
                teacher.num_attention_heads,
                student.num_attention_heads,
            ),
        ] {
            if weight == 0.0 {
                continue;
            }
            if !same_tokens {
                let longest = self.config.longest_sequence();
                return Err(TrainError::OtherTokens { flag, longest });
            }
            if teacher != student {
                return Err(TrainError::NotComparable {
                    flag,
                    key,
                    teacher,
                    student,
                });
            }
        }
        Ok(())
    }

    /// Loads the teacher, with an adapter merged into its base model, for prediction. Its outputs are
    /// `outputs`, in this order.
    ///
    /// # Errors
    /// Fails if a file is missing or damaged, if the teacher has no trained classifier, or if it predicts
    /// something else.
    pub fn load(
        &self,
        outputs: &Task,
        by_position: bool,
        device: &Device,
    ) -> Result<SequenceClassifier, TrainError> {
        let (order, _) = self.order(outputs, by_position)?;
        Ok(self.load_own(device)?.with_order(outputs.clone(), &order))
    }

    /// Loads the teacher with its own outputs.
    fn load_own(&self, device: &Device) -> Result<SequenceClassifier, TrainError> {
        let mut classifier = match &self.base {
            None => Classifier::load_on(&self.directory, device)?,
            Some(base) => Classifier::load_adapter(base, &self.directory, device)?,
        };
        if self.base.is_some() {
            classifier.merge_adapter()?;
        }
        Ok(classifier.model().clone())
    }

    /// Checks that the teacher's files are those of the plan.
    ///
    /// # Errors
    /// Fails with [`TrainError::ChangedTeacher`], or if a file cannot be read.
    pub fn check_unchanged(&self, plan: &DistillationPlan) -> Result<(), TrainError> {
        let now = self.hash()?;
        match now == plan.teacher_sha256 {
            true => Ok(()),
            false => Err(TrainError::ChangedTeacher {
                teacher: self.directory.clone(),
                was: plan.teacher_sha256.clone(),
                now,
            }),
        }
    }

    /// Returns the directory of the student of the run in `run` that has only these layers of the teacher,
    /// which is created if it is not there. Embeddings and head are the teacher's.
    ///
    /// # Errors
    /// Fails if the teacher cannot be loaded or lacks a layer, or if a file cannot be written.
    pub fn student(&self, layers: &[usize], run: &Path) -> Result<PathBuf, TrainError> {
        let directory = run.join(INITIAL);
        if directory.exists() {
            return Ok(directory);
        }
        let student = self.load_own(&finetune_infer::device("cpu")?)?;
        let student = student.with_layers(layers)?;
        publish_directory(&directory, |partial| {
            student.save_settings(partial, self.tokenizer_directory())?;
            Ok::<(), TrainError>(student.save_weights(&partial.join(WEIGHTS))?)
        })?;
        Ok(directory)
    }
}
