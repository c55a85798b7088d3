//! The jobs `full`, `lora`, `head` and `minilm`, which measure the speed and the memory of training.

use std::path::PathBuf;

use anyhow::Result;

use super::arguments::Job;
use super::results::{Column, JobResult, PEAK_MEMORY};
use super::targets::Target;
use super::train_run::{Length, Precision, Strategy, TrainRun, Trained};
use super::workbench::{Contestant, Outcome, Workbench};
use xtask::table::thousands;

/// Number of initial steps that do not count, since they fill caches and pools on both sides.
const SKIPPED: usize = 3;

const BATCH: usize = 16;
const MAX_LENGTH: usize = 256;
const HEAD_EPOCHS: usize = 3;

const SPEED: &str = "samples_per_second";
const TOKENS: &str = "tokens_per_row";
const SHARE: &str = "matmul_share";

const OURS: [&str; 2] = ["finetune_f32", "finetune_bf16"];
const THEIRS: [&str; 2] = ["transformers_f32", "transformers_bf16_grouped"];

/// Our runs, and the peer's default and fastest settings, in the order in which they run in a round.
pub const CONTESTANTS: [Contestant; 4] = [
    Contestant {
        key: OURS[0],
        name: "finetune f32",
    },
    Contestant {
        key: THEIRS[0],
        name: "transformers f32",
    },
    Contestant {
        key: OURS[1],
        name: "finetune bf16",
    },
    Contestant {
        key: THEIRS[1],
        name: "transformers bf16 grouped",
    },
];

/// The training that a job measures.
struct Training {
    title: &'static str,
    what: &'static str,
    model: PathBuf,
    strategy: Strategy,
    length: Length,
}

impl Training {
    fn of(bench: &Workbench, job: Job) -> Result<Self> {
        let epoch = bench.arguments.rows.div_ceil(BATCH);
        let steps = Length::Steps(SKIPPED + bench.arguments.steps.unwrap_or(epoch));
        let distilbert = "All of a DistilBERT of the published size with random weights";
        Ok(match job {
            Job::Lora => Self {
                title: "LoRA, DistilBERT's size",
                what: "LoRA (r 8, alpha 16, dropout 0.1, queries and values) on a DistilBERT of the \
                       published size with random weights",
                model: bench.distilbert()?,
                strategy: Strategy::Lora,
                length: steps,
            },
            Job::Head => Self {
                title: "Head only, DistilBERT's size",
                what: "The head of a DistilBERT of the published size with random weights",
                model: bench.distilbert()?,
                strategy: Strategy::Head,
                length: Length::Epochs(HEAD_EPOCHS),
            },
            Job::Minilm => Self {
                title: "Full fine-tuning, MiniLM",
                what: "All of all-MiniLM-L6-v2",
                model: bench.minilm()?,
                strategy: Strategy::Full,
                length: steps,
            },
            _ => Self {
                title: "Full fine-tuning, DistilBERT's size",
                what: distilbert,
                model: bench.distilbert()?,
                strategy: Strategy::Full,
                length: steps,
            },
        })
    }

    fn settings(&self, bench: &Workbench) -> String {
        let rows = thousands(bench.arguments.rows);
        let counted = match self.length {
            Length::Steps(steps) => format!(
                "Steady state: {SKIPPED} steps that do not count, then {}.",
                steps - SKIPPED
            ),
            Length::Epochs(epochs) => format!(
                "The whole training of {epochs} epochs counts, the time for computing features \
                 included."
            ),
        };
        format!(
            "{}, {rows} rows of {}, batches of {BATCH} rows. The peer pads each batch to its \
             longest row; grouped: with batches of similar length. {counted}",
            self.what, bench.corpus.name
        )
    }

    fn values(&self, run: &Trained) -> Result<Vec<(&'static str, f64)>> {
        let pace = match self.length {
            Length::Steps(_) => run.timeline.steady(SKIPPED),
            Length::Epochs(_) => run.timeline.whole(),
        }?;
        let peak = run.peak_bytes.map(|bytes| (PEAK_MEMORY, bytes as f64));
        let steps_only = matches!(self.length, Length::Steps(_));
        let share = run.matmul_share.filter(|_| steps_only);
        Ok([
            (SPEED, pace.samples_per_second),
            (TOKENS, pace.tokens_per_row),
        ]
        .into_iter()
        .chain(peak)
        .chain(share.map(|share| (SHARE, share)))
        .collect())
    }
}

/// Runs a job.
///
/// # Errors
/// Fails if a run fails.
pub fn run(bench: &Workbench, job: Job) -> Result<JobResult> {
    let training = Training::of(bench, job)?;
    let data = bench.corpus.write(&bench.data(), bench.arguments.rows, 0)?;
    let mut result = bench.result(training.title, training.settings(bench));
    let columns = vec![
        Column::new(SPEED, "samples/s", 1),
        Column::peak_memory(),
        Column::new(TOKENS, "tokens", 1),
        Column::percent(SHARE, "in matmul, %"),
    ];
    let table = bench.rounds(&job.name(), columns, &CONTESTANTS, |contestant, round| {
        let name = format!("{}-{}-{round}", job.name(), contestant.key);
        let run = TrainRun {
            name: &name,
            model: &training.model,
            data: &data,
            strategy: training.strategy,
            batch_size: BATCH,
            max_length: MAX_LENGTH,
            length: training.length,
            precision: Precision::F32,
        };
        let trained = match measure(bench, contestant, run)? {
            Ok(trained) => trained,
            Err(reason) => return Ok(Outcome::Err(reason)),
        };
        result.add_versions(&trained.versions);
        training.values(&trained).map(Ok)
    })?;
    let table = table.compared(SPEED, &THEIRS);
    let targets = targets(job);
    result.targets = targets.iter().map(|target| target.judge(&table)).collect();
    result.tables = vec![table];
    Ok(result)
}

/// Measures a run of one of the [`CONTESTANTS`].
///
/// # Errors
/// Fails if the run fails.
pub fn measure(
    bench: &Workbench,
    contestant: &Contestant,
    run: TrainRun<'_>,
) -> Result<Result<Trained, String>> {
    let bf16 = TrainRun {
        precision: Precision::Bf16,
        ..run
    };
    match contestant.key {
        "finetune_f32" => run.ours(bench).map(Ok),
        "finetune_bf16" => bf16.ours(bench).map(Ok),
        "transformers_f32" => run.theirs(bench, false),
        _ => bf16.theirs(bench, true),
    }
}

fn targets(job: Job) -> Vec<Target<'static>> {
    let f32 = |what, times| Target::TimesAsFast {
        what,
        ours: (&OURS[..1], SPEED),
        theirs: (&THEIRS[..1], SPEED),
        times,
    };
    let fastest = |what, times| Target::TimesAsFast {
        what,
        ours: (&OURS, SPEED),
        theirs: (&THEIRS, SPEED),
        times,
    };
    let memory = |what, limit| Target::AtMost {
        what,
        rows: &OURS,
        key: PEAK_MEMORY,
        limit,
        shown: (1e-9, "GB"),
    };
    match job {
        Job::Full => vec![
            f32("full, f32 / transformers f32", 2.8),
            fastest("full, fastest / fastest transformers", 1.7),
            memory("full, peak memory", 1.3e9),
            Target::AtLeast {
                what: "full f32, time in matrix multiplications / time of steps",
                row: OURS[0],
                key: SHARE,
                limit: 0.75,
            },
        ],
        Job::Lora => vec![
            f32("LoRA, f32 / transformers f32", 3.0),
            fastest("LoRA, fastest / fastest transformers", 1.7),
            memory("LoRA, peak memory", 0.6e9),
        ],
        Job::Head => vec![
            fastest("head, fastest / fastest transformers", 5.0),
            memory("head, peak memory", 0.5e9),
        ],
        _ => vec![fastest("MiniLM full, fastest / fastest transformers", 1.5)],
    }
}
