//! What a report tells of a run. All of it but the name is optional or may be empty: a section whose facts are
//! missing is left out.

use finetune_task::Task;

use crate::{HeldOut, RunLog};

/// A run.
#[derive(Clone, Debug)]
pub struct RunFacts {
    /// Its name.
    pub name: String,
    /// How far it has come.
    pub state: RunState,
    /// What was trained on what.
    pub setup: Setup,
    /// Its main results, with the rows that they are of in words, such as `1,066 test rows`.
    pub headline: Vec<Measure>,
    /// The rows of the headline in words.
    pub headline_rows: String,
    /// The name of the metric that chose the kept model.
    pub metric: String,
    /// The event log.
    pub log: RunLog,
    /// Optimizer steps done by the kept model.
    pub kept_step: Option<u64>,
    /// The predictions for the held-out rows.
    pub held_out: Option<HeldOut>,
    /// The lengths of the rows of each split.
    pub lengths: Vec<SplitLengths>,
    /// Metrics before and after training, or of teacher and student.
    pub changes: Vec<Change>,
    /// Where the time went.
    pub times: Times,
    /// Peak memory of the process in bytes.
    pub peak_memory: Option<u64>,
    /// Rows, or pairs of rows, per second of the steps' time.
    pub samples_per_second: Option<f64>,
    /// Size of the saved model in bytes.
    pub model_bytes: Option<u64>,
    /// The plan as TOML.
    pub plan: String,
    /// Facts of the manifest: what, and its value.
    pub manifest: Vec<(String, String)>,
    /// The sessions, in order.
    pub sessions: Vec<Session>,
    /// Commands to continue with: what for, and the command.
    pub commands: Vec<(String, String)>,
    /// What is not in the report, and why.
    pub notes: Vec<String>,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It is complete.
    Complete,
    /// A process works on it.
    GoingOn,
    /// It was interrupted, or its process has died.
    Unfinished,
}

/// What was trained on what.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The base model.
    pub model: String,
    /// What is predicted; `None` for masked tokens.
    pub task: Option<Task>,
    /// Which parameters were trained, by the name of the strategy.
    pub strategy: String,
    /// The teacher, if there is one.
    pub teacher: Option<String>,
    /// The data set.
    pub dataset: String,
    /// The seed.
    pub seed: u64,
    /// The processor or device, in words.
    pub machine: Option<String>,
    /// The type of matrix multiplications.
    pub precision: String,
}

/// A metric with its uncertainty.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Its 95 % interval.
    pub interval: Option<[f64; 2]>,
    /// How the interval was computed.
    pub method: String,
}

/// The lengths of the rows of a split, in tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitLengths {
    /// Name of the split.
    pub split: String,
    /// Number of rows.
    pub rows: u64,
    /// Number of rows that were cut at the maximum length.
    pub truncated: u64,
    /// Mean length.
    pub mean: f64,
    /// Median length.
    pub p50: usize,
    /// Length that 95 % of the rows do not exceed.
    pub p95: usize,
    /// Length of the longest row.
    pub max: usize,
    /// Number of lengths that a bar covers.
    pub width: usize,
    /// Number of rows of each bar, from length 0.
    pub counts: Vec<u64>,
}

/// Metrics of two models on the same rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What is compared, such as `before and after training`.
    pub title: String,
    /// What the columns are called.
    pub columns: [String; 2],
    /// Name and both values of each metric.
    pub rows: Vec<(String, Option<f64>, Option<f64>)>,
}

/// Where the time went, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Times {
    /// Reading and tokenizing the rows.
    pub data: f64,
    /// Loading the model.
    pub model: f64,
    /// Optimizer steps.
    pub steps: f64,
    /// Evaluations of the validation rows.
    pub evaluation: f64,
    /// The rest of training: checkpoints, and features of frozen layers.
    pub saving: f64,
    /// Evaluating the test rows.
    pub test: f64,
}

/// A session of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// When it began.
    pub started: String,
    /// The step from which it began.
    pub first_step: u64,
    /// How it ended, in words.
    pub end: String,
    /// The program's version and commit.
    pub program: String,
    /// The machine.
    pub machine: String,
}
