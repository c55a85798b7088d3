//! The job `start`, which measures the time until the first step.

use anyhow::Result;

use super::results::{Column, JobResult};
use super::targets::Target;
use super::train_run::{Length, Precision, Strategy, TrainRun};
use super::training::{CONTESTANTS, measure};
use super::workbench::{Contestant, Outcome, Workbench};

const SECONDS: &str = "seconds_to_first_step";
const BATCH: usize = 16;
const MAX_LENGTH: usize = 256;

/// Runs the job.
///
/// # Errors
/// Fails if a run fails.
pub fn run(bench: &Workbench) -> Result<JobResult> {
    let model = bench.distilbert()?;
    let data = bench.corpus.write(&bench.data(), bench.arguments.rows, 0)?;
    let settings = format!(
        "From the start of the process until the first step begins: full fine-tuning of a DistilBERT of \
         the published size, {} rows of {}. Texts were tokenized before, by both; files are in the \
         system's cache.",
        bench.arguments.rows, bench.corpus.name
    );
    let mut result = bench.result("From start to first step, DistilBERT's size", settings);
    let step = |contestant: &Contestant, round: usize| {
        let name = format!("start-{}-{round}", contestant.key);
        let run = TrainRun {
            name: &name,
            model: &model,
            data: &data,
            strategy: Strategy::Full,
            batch_size: BATCH,
            max_length: MAX_LENGTH,
            length: Length::Steps(1),
            precision: Precision::F32,
        };
        measure(bench, contestant, run)
    };
    let columns = vec![Column::new(SECONDS, "start to first step, s", 2)];
    let table = bench.rounds("start", columns, &CONTESTANTS, |contestant, round| {
        if round == 1 {
            // This run fills the token caches and does not count.
            step(contestant, 0)?.ok();
        }
        let trained = match step(contestant, round)? {
            Ok(trained) => trained,
            Err(reason) => return Ok(Outcome::Err(reason)),
        };
        result.add_versions(&trained.versions);
        Ok(Ok(vec![(SECONDS, trained.timeline.first_step)]))
    })?;
    let target = Target::AtMost {
        what: "start to first step, warm cache",
        rows: &["finetune_f32"],
        key: SECONDS,
        limit: 0.5,
        shown: (1.0, "s"),
    };
    result.targets = vec![target.judge(&table)];
    result.tables = vec![table];
    Ok(result)
}
