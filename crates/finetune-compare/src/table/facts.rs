//! What a run says about itself.

use std::{collections::BTreeMap, path::PathBuf};

use finetune_metrics::RowScores;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// A complete run.
#[derive(Clone, Debug, Serialize)]
pub struct RunFacts {
    /// The name by which messages call it.
    pub name: String,
    /// Its directory.
    pub directory: PathBuf,
    /// Its seed.
    pub seed: u64,
    /// What it predicts.
    pub task: TaskFacts,
    /// The metric that chose its best model.
    pub metric: String,
    /// Number of training rows.
    pub train_rows: Option<u64>,
    /// Its evaluation on the test rows, if there are any.
    pub test: Option<EvaluationFacts>,
    /// Its evaluation on the validation rows, if there is one.
    pub validation: Option<EvaluationFacts>,
    /// Seconds of training, with evaluations of the validation rows, the results of frozen layers and saving. Of
    /// a session that was killed only the steps are counted.
    pub train_seconds: f64,
    /// Rows trained per second, without evaluations.
    pub samples_per_second: Option<f64>,
    /// Peak memory of its process in bytes.
    pub peak_memory_bytes: Option<u64>,
    /// Number of trained parameters.
    pub trained_parameters: u64,
    /// Number of parameters.
    pub parameters: u64,
    /// Size of the saved model's directory in bytes.
    pub model_bytes: u64,
    /// Seconds of the evaluation of the test rows.
    pub test_seconds: Option<f64>,
    /// Where it ran last: processor, device and threads.
    pub machine: String,
}

/// What a run predicts. Runs with different ones cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskFacts {
    /// The kind of task.
    pub kind: String,
    /// The names of the outputs.
    pub labels: Vec<String>,
}

/// An evaluation of a run.
#[derive(Clone, Debug, Serialize)]
pub struct EvaluationFacts {
    /// Number of rows.
    pub rows: u64,
    /// The metrics that are defined, by name.
    pub metrics: BTreeMap<String, f64>,
    /// 95 % intervals over rows, by name of the metric.
    pub intervals: BTreeMap<String, [f64; 2]>,
    /// The data set and split, in words.
    pub source: String,
    /// A hash of the texts and labels as the tokenizer has them.
    pub fingerprint: Option<String>,
    /// What else goes into the fingerprint: the tokenizer and the maximum length.
    pub tokens: String,
    /// The predictions, row by row, or why there are none.
    #[serde(skip)]
    pub predictions: Result<RowPredictions, String>,
}

/// The predictions of a run, in the order of the rows.
#[derive(Clone, Debug)]
pub struct RowPredictions {
    /// Prediction and target of each row.
    pub scores: RowScores,
    /// A hash of the rows' places and targets.
    pub identity: String,
}

impl RowPredictions {
    /// Collects predictions. `files` are the files of the rows, `places` the index of its file and the number in
    /// that file of each row, and `targets` the correct answers, of any kind, as bytes.
    pub fn new(
        scores: RowScores,
        files: &[PathBuf],
        places: &[(u32, u64)],
        targets: &[u8],
    ) -> Self {
        let mut hash = Sha256::new();
        for file in files {
            // A copy of a data set has the same rows.
            hash.update(file.file_name().unwrap_or_default().as_encoded_bytes());
            hash.update([0]);
        }
        for (file, row) in places {
            hash.update(file.to_le_bytes());
            hash.update(row.to_le_bytes());
        }
        hash.update(targets);
        let hash = hash.finalize();
        Self {
            scores,
            identity: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

/// Whether two evaluations had the same rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SameRows {
    Yes,
    /// As far as the source and the number of rows tell.
    Apparently,
    /// They had not, for this reason.
    No(String),
}

impl EvaluationFacts {
    pub(super) fn same_rows(&self, other: &Self) -> SameRows {
        if self.rows != other.rows {
            return SameRows::No(format!("{} rows and {}", self.rows, other.rows));
        }
        let fingerprints = self.fingerprint.as_ref().zip(other.fingerprint.as_ref());
        let sources = || format!("{} and {}", self.source, other.source);
        if let Some((this, that)) = fingerprints {
            // Equal ones mean equal rows; different ones mean different rows if all else that goes into them is
            // equal.
            match () {
                () if this == that => return SameRows::Yes,
                () if self.tokens != other.tokens => {}
                () if self.source != other.source => return SameRows::No(sources()),
                () => return SameRows::No("their texts or labels have changed in between".into()),
            }
        }
        if let (Ok(these), Ok(those)) = (&self.predictions, &other.predictions) {
            return match these.identity == those.identity {
                true => SameRows::Yes,
                false => SameRows::No("other rows, or in another order".into()),
            };
        }
        match self.source == other.source {
            true => SameRows::Apparently,
            false => SameRows::No(sources()),
        }
    }
}
