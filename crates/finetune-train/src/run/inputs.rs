//! The inputs of a run besides its plan: rows, the base model's files, and the program.

use std::path::{Path, PathBuf};

use finetune_data::{MaskingVocabulary, TokenizedDataset};

use crate::{FileFacts, ModelPlan, ProgramFacts, RunDirectory, Teacher, TrainError, TrainPlan};

/// The rows of a run.
#[derive(Clone, Debug)]
pub struct TrainData {
    /// Training rows.
    pub train: TokenizedDataset,
    /// Validation rows.
    pub validation: TokenizedDataset,
    /// Test rows, on which the kept model is evaluated, if there are any.
    pub test: Option<TokenizedDataset>,
}

impl TrainData {
    /// Returns the fingerprints of the training, validation and test rows.
    pub fn fingerprints(&self) -> Vec<String> {
        self.splits()
            .map(TokenizedDataset::fingerprint_hex)
            .collect()
    }

    /// Returns the files that the rows may come from, without duplicates. Files that have already been
    /// hashed, for the token cache for instance, are not read again.
    ///
    /// # Errors
    /// Fails if a file cannot be read.
    pub fn files(&self) -> Result<Vec<FileFacts>, TrainError> {
        let mut files: Vec<FileFacts> = Vec::new();
        for split in self.splits() {
            for file in files_of(split)? {
                if !files.iter().any(|known| known.path == file.path) {
                    files.push(file);
                }
            }
        }
        Ok(files)
    }

    /// Refuses texts in which there is nothing to mask: a run would learn nothing from them, and its
    /// evaluations would have no result.
    ///
    /// # Errors
    /// Fails with [`TrainError::NothingToMask`], and if tokens cannot be read.
    pub fn check_maskable(&self, vocabulary: &MaskingVocabulary) -> Result<(), TrainError> {
        let names = ["training", "validation", "test"];
        for (which, rows) in names.into_iter().zip(self.splits()) {
            if !rows.has_maskable(vocabulary)? {
                let mut files = rows.splits().flat_map(|split| split.files());
                return Err(TrainError::NothingToMask {
                    which,
                    rows: rows.len(),
                    file: files
                        .next()
                        .map(|file| file.to_path_buf())
                        .unwrap_or_default(),
                });
            }
        }
        Ok(())
    }

    /// Returns the files that the training rows may come from, with paths that are valid Unicode.
    pub(crate) fn train_files(&self) -> Result<Vec<FileFacts>, TrainError> {
        let mut files = files_of(&self.train)?;
        for file in &mut files {
            file.path = file.path.to_string_lossy().into_owned().into();
        }
        Ok(files)
    }

    /// Returns the training, validation and test rows.
    pub(crate) fn splits(&self) -> impl Iterator<Item = &TokenizedDataset> {
        [&self.train, &self.validation]
            .into_iter()
            .chain(&self.test)
    }
}

fn files_of(rows: &TokenizedDataset) -> Result<Vec<FileFacts>, TrainError> {
    let mut files = Vec::new();
    for split in rows.splits() {
        let hashed = split.file_hashes()?.into_iter();
        files.extend(hashed.map(|(path, bytes, sha256)| FileFacts {
            path: path.to_path_buf(),
            bytes,
            sha256,
        }));
    }
    Ok(files)
}

/// The teacher of a run, with the rows as it reads them.
#[derive(Clone, Debug)]
pub struct TeacherInputs {
    /// The teacher.
    pub teacher: Teacher,
    /// The same rows in the same order, with the tokens of the teacher's tokenizer; `None` if they are those
    /// of the student.
    pub data: Option<TrainData>,
}

/// The inputs of one session of a run.
#[derive(Clone, Debug)]
pub struct RunInputs {
    /// Directory of the base model, whose tokenizer is copied to every saved model.
    pub base: PathBuf,
    /// The base model's commit, if it comes from the hub.
    pub commit: Option<String>,
    /// The rows.
    pub data: TrainData,
    /// The teacher, for a plan that learns from one.
    pub teacher: Option<TeacherInputs>,
    /// The program that trains.
    pub program: ProgramFacts,
    /// Time spent finding, reading and tokenizing the rows.
    pub data_seconds: f64,
    /// Time spent loading the model.
    pub model_seconds: f64,
}

impl RunInputs {
    /// Creates the inputs from a base model's directory and rows, for a program that does not describe
    /// itself.
    pub fn new(base: impl Into<PathBuf>, data: TrainData) -> Self {
        Self {
            base: base.into(),
            commit: None,
            data,
            teacher: None,
            program: ProgramFacts::default(),
            data_seconds: 0.0,
            model_seconds: 0.0,
        }
    }

    /// Completes the plan of a new run with what only files and rows can tell, where it is not set: the
    /// hashes that identify them in later sessions and replays, and the names of both directories.
    pub(crate) fn identify(
        &self,
        plan: &TrainPlan,
        run: &RunDirectory,
    ) -> Result<TrainPlan, TrainError> {
        let mut plan = plan.clone();
        let name = |value: &mut String, path: &Path| {
            if value.is_empty() {
                *value = path.display().to_string();
            }
        };
        name(&mut plan.saving.output, run.path());
        name(&mut plan.model.name, &self.base);
        plan.make_paths_absolute();
        if plan.model.sha256.is_empty() {
            plan.model.sha256 = ModelPlan::hash_weights(&self.base)?;
        }
        if plan.model.files.is_empty() {
            plan.model.files = plan.model.hash_files(&self.base)?;
        }
        plan.model.identify_vectors()?;
        if let (Some(distillation), Some(inputs)) = (&mut plan.distillation, &self.teacher)
            && distillation.teacher_sha256.is_empty()
        {
            distillation.teacher_sha256 = inputs.teacher.hash()?;
        }
        if plan.data.dataset_fingerprints.is_empty() {
            plan.data.dataset_fingerprints = self.data.fingerprints();
        }
        Ok(plan)
    }
}
