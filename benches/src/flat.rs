//! The job `flat`, which measures whether a token costs the same in small and large batches, with few
//! and many rows, and in long rows.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::predict_run::{PredictRun, classifier};
use super::results::{Column, JobResult, Measured, Row, Table, Verdict};
use super::statistics::median;
use super::targets::Target;
use super::train_run::{Length, Precision, Strategy, TrainRun};
use super::workbench::{Contestant, Workbench};

/// Number of initial steps that do not count.
const SKIPPED: usize = 2;
/// Minimum number of steps that count.
const FEWEST: usize = 3;
/// Default number of measured steps with the usual batch.
const STEPS: usize = 30;
/// Number of predictions of few rows in a round, of which the median counts.
const PREDICTIONS: usize = 5;
/// Batch size of the other jobs, from which the number of steps follows.
const USUAL_BATCH: usize = 16;
/// Approximate ratio between the numbers of tokens in a long and a short row.
const LONG_TO_SHORT: usize = 19;

const LONG: usize = 512;
/// Number of words that certainly make more than [`LONG`] tokens.
const LONG_WORDS: usize = 600;
const LONG_ROWS: usize = 100;

const FULL: &str = "full_seconds_per_token";
const LORA: &str = "lora_seconds_per_token";
const PREDICT: &str = "predict_seconds_per_token";
const TOKENS: &str = "tokens_per_row";

/// Widths of DistilBERT and of MiniLM.
const DISTILBERT_WIDTH: f64 = 768.0;
const MINILM_WIDTH: f64 = 384.0;

/// Maximum number of rows to predict; more would take minutes and show nothing new.
const MOST_PREDICTED: usize = 10_000;

/// A case with rows of one length in batches of one size.
struct Case {
    contestant: Contestant,
    batch_size: usize,
    rows: usize,
    words: usize,
}

const fn case(key: &'static str, name: &'static str, batch_size: usize, rows: usize) -> Case {
    Case {
        contestant: Contestant { key, name },
        batch_size,
        rows,
        words: 0,
    }
}

const CASES: [Case; 7] = [
    case("batch_8", "batch 8, 1,000 rows", 8, 1000),
    case("batch_16", "batch 16, 1,000 rows", 16, 1000),
    case("batch_64", "batch 64, 1,000 rows", 64, 1000),
    case("batch_256", "batch 256, 1,000 rows", 256, 1000),
    case("rows_10000", "batch 16, 10,000 rows", 16, 10_000),
    case("rows_100000", "batch 16, 100,000 rows", 16, 100_000),
    Case {
        words: LONG_WORDS,
        ..case("length_512", "batch 16, length 512", 16, LONG_ROWS)
    },
];

/// The key of the derived row: [`LONG`] tokens without the part that grows with the length.
const LINEAR: &str = "length_512_linear";

const BATCHES: [&str; 4] = ["batch_8", "batch_16", "batch_64", "batch_256"];
const ROWS: [&str; 3] = ["batch_16", "rows_10000", "rows_100000"];
const LENGTHS: [&str; 2] = ["batch_16", LINEAR];

impl Case {
    fn max_length(&self) -> usize {
        match self.words {
            0 => 256,
            _ => LONG,
        }
    }

    /// Returns the number of steps with about as many tokens as the usual steps.
    fn steps(&self, usual: usize) -> usize {
        let rows = match self.words {
            0 => usual * USUAL_BATCH,
            _ => (usual * USUAL_BATCH).div_ceil(LONG_TO_SHORT),
        };
        rows.div_ceil(self.batch_size).max(FEWEST)
    }
}

/// The models that all cases share.
struct Models {
    distilbert: PathBuf,
    classifier: PathBuf,
}

/// Runs the job.
///
/// # Errors
/// Fails if a run fails.
pub fn run(bench: &Workbench) -> Result<JobResult> {
    let models = Models {
        distilbert: bench.distilbert()?,
        classifier: classifier(bench)?,
    };
    let settings = format!(
        "Time of a token in f32, rows of {}: training steps of a DistilBERT of the published size, \
         {SKIPPED} that do not count and then at least {FEWEST}, and prediction with all-MiniLM-L6-v2, \
         the model alone. Length 512: rows made of several, cut there.",
        bench.corpus.name
    );
    let mut result = bench.result("Cost per token", settings);
    let contestants: Vec<Contestant> = CASES.iter().map(|case| case.contestant).collect();
    let microseconds = |key, title| Column {
        factor: 1e6,
        ..Column::new(key, title, 1)
    };
    let columns = vec![
        microseconds(FULL, "full, µs/token"),
        microseconds(LORA, "LoRA, µs/token"),
        microseconds(PREDICT, "predict, µs/token"),
        Column::new(TOKENS, "tokens", 1),
    ];
    let mut table = bench.rounds("flat", columns, &contestants, |contestant, round| {
        let case = CASES.iter().find(|case| case.contestant == *contestant);
        case.map_or(Ok(Ok(Vec::new())), |case| {
            measure(bench, &models, case, round).map(Ok)
        })
    })?;
    table.rows.extend(without_quadratic_part(&table.rows));
    result.targets = targets(&table);
    result.notes = notes(&table);
    result.tables = vec![table];
    Ok(result)
}

fn measure(
    bench: &Workbench,
    models: &Models,
    case: &Case,
    round: usize,
) -> Result<Vec<(&'static str, f64)>> {
    let data = bench.corpus.write(&bench.data(), case.rows, case.words)?;
    let mut values = Vec::new();
    for (key, strategy) in [(FULL, Strategy::Full), (LORA, Strategy::Lora)] {
        let name = format!("flat-{}-{strategy:?}-{round}", case.contestant.key);
        let run = TrainRun {
            name: &name,
            model: &models.distilbert,
            data: &data,
            strategy,
            batch_size: case.batch_size,
            max_length: case.max_length(),
            length: Length::Steps(SKIPPED + case.steps(bench.arguments.steps.unwrap_or(STEPS))),
            precision: Precision::F32,
        };
        let pace = run.ours(bench)?.timeline.steady(SKIPPED)?;
        values.push((key, pace.seconds_per_token));
        if key == FULL {
            values.push((TOKENS, pace.tokens_per_row));
        }
    }
    if case.rows <= MOST_PREDICTED {
        values.push((PREDICT, predict(bench, models, case, &data, round)?));
    }
    Ok(values)
}

fn predict(
    bench: &Workbench,
    models: &Models,
    case: &Case,
    data: &Path,
    round: usize,
) -> Result<f64> {
    let run = PredictRun {
        name: &format!("flat-{}-predict-{round}", case.contestant.key),
        model: &models.classifier,
        texts: &data.join("train.parquet"),
        batch_size: case.batch_size,
        max_length: case.max_length(),
    };
    // With few rows, a prediction takes a second or two, so that a single one is not reliable.
    let times_over = if case.rows <= 1000 { PREDICTIONS } else { 1 };
    let mut times = Vec::new();
    for _ in 0..times_over {
        let predicted = run.ours(bench, Precision::F32)?;
        times.push(predicted.timings.seconds_per_token());
    }
    Ok(median(&times))
}

/// Returns the ratio between attention's multiplications (queries by keys, and probabilities by values)
/// and all other matrix multiplications of a layer. The weights have `12 · width²` elements, each of
/// which takes 2 operations per token, whereas attention takes `4 · length · width`. A backward pass
/// takes twice as many of both, except that LoRA needs no gradients of the weights.
fn quadratic(length: f64, width: f64, key: &str) -> f64 {
    let weights = match key {
        LORA => 2.0 * 24.0,
        FULL => 3.0 * 24.0,
        _ => 24.0,
    };
    let attention = match key {
        PREDICT => 4.0,
        _ => 12.0,
    };
    attention * length / (weights * width)
}

fn width(key: &str) -> f64 {
    match key {
        PREDICT => MINILM_WIDTH,
        _ => DISTILBERT_WIDTH,
    }
}

/// Computes the cost of a token in the long rows if attention's share were that of the short ones.
fn without_quadratic_part(rows: &[Row]) -> Option<Row> {
    let named = |key: &str| rows.iter().find(|row| row.key == key);
    let (short, long) = (named("batch_16")?, named("length_512")?);
    let short = short.median(TOKENS)?;
    let scaled = [FULL, LORA, PREDICT].into_iter().filter_map(|key| {
        let part = |length| 1.0 + quadratic(length, width(key), key);
        let factor = part(short) / part(LONG as f64);
        let rounds = long.rounds(key)?.iter().map(|value| value * factor);
        Some((key.to_owned(), Measured::new(rounds.collect())))
    });
    Some(Row {
        key: LINEAR.to_owned(),
        name: "the same less the quadratic part".to_owned(),
        values: scaled.collect(),
        ..Row::default()
    })
}

fn targets(table: &Table) -> Vec<Verdict> {
    let ways = [(FULL, "full"), (LORA, "LoRA"), (PREDICT, "predict")];
    let ranges: [(&[&str], &str); 3] = [
        (&BATCHES, "batch 8 to 256"),
        (&ROWS, "1,000 to 100,000 rows"),
        (&LENGTHS, "length 512 without the quadratic part to short"),
    ];
    let mut verdicts = Vec::new();
    for (rows, range) in ranges {
        for (key, way) in ways {
            // The largest number of rows is not predicted.
            let rows = match (key, rows) {
                (PREDICT, [rest @ .., "rows_100000"]) => rest,
                _ => rows,
            };
            let range = range.replace("100,000", if key == PREDICT { "10,000" } else { "100,000" });
            let what = format!("cost of a token, {way}, {range}: largest / smallest");
            let target = Target::Flat {
                what: &what,
                rows,
                key,
                times: 1.15,
            };
            verdicts.push(target.judge(table));
        }
    }
    verdicts
}

fn notes(table: &Table) -> Vec<String> {
    let mut notes: Vec<String> = [(FULL, "full"), (LORA, "LoRA"), (PREDICT, "predict")]
        .into_iter()
        .map(|(key, way)| {
            let share = |length| {
                let part = quadratic(length, width(key), key);
                100.0 * part / (1.0 + part)
            };
            let short = table.row("batch_16").and_then(|row| row.median(TOKENS));
            format!(
                "{way}: attention's quadratic multiplications are {:.1} % of the arithmetic at length {LONG}, \
                 {:.1} % at {:.0} tokens",
                share(LONG as f64),
                share(short.unwrap_or_default()),
                short.unwrap_or_default()
            )
        })
        .collect();
    for (key, way) in [(FULL, "full"), (LORA, "LoRA")] {
        if let Some(seconds) = fixed_seconds(table, key) {
            notes.push(format!(
                "{way}: {:.0} ms of a step do not depend on its tokens (the constant of the line \
                 through batches of 8 and 256 rows)",
                1e3 * seconds
            ));
        }
    }
    notes
}

/// Returns the intercept of the line through the step times of the smallest and the largest batch.
fn fixed_seconds(table: &Table, key: &str) -> Option<f64> {
    let point = |case: &str, batch: f64| {
        let row = table.row(case)?;
        let tokens = batch * row.median(TOKENS)?;
        Some((tokens, tokens * row.median(key)?))
    };
    let ((few, short), (many, long)) = (point("batch_8", 8.0)?, point("batch_256", 256.0)?);
    Some(short - few * (long - short) / (many - few))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn row(key: &str, tokens: f64, full: f64) -> Row {
        let values = [(TOKENS, tokens), (FULL, full)];
        Row {
            key: key.to_owned(),
            values: BTreeMap::from(
                values.map(|(key, value)| (key.to_owned(), Measured::new(vec![value]))),
            ),
            ..Row::default()
        }
    }

    fn table(rows: Vec<Row>) -> Table {
        Table {
            title: String::new(),
            label: String::new(),
            columns: Vec::new(),
            rows,
        }
    }

    #[test]
    fn the_quadratic_part_is_that_of_the_shapes() {
        // 4·L·h operations against 24·h²: L / 6h; without weights' gradients L / 4h.
        assert!((quadratic(512.0, 768.0, FULL) - 512.0 / (6.0 * 768.0)).abs() < 1e-12);
        assert!((quadratic(512.0, 768.0, LORA) - 512.0 / (4.0 * 768.0)).abs() < 1e-12);
        assert!((quadratic(512.0, 384.0, PREDICT) - 512.0 / (6.0 * 384.0)).abs() < 1e-12);
    }

    #[test]
    fn a_long_row_that_costs_what_its_arithmetic_says_is_flat() {
        let part = |length| 1.0 + quadratic(length, DISTILBERT_WIDTH, FULL);
        let long = row("length_512", 512.0, 1e-4 * part(512.0));
        let short = row("batch_16", 27.0, 1e-4 * part(27.0));
        let linear = without_quadratic_part(&[short.clone(), long.clone()]).unwrap();
        let cost = linear.median(FULL).unwrap();
        assert!((cost / short.median(FULL).unwrap() - 1.0).abs() < 1e-12);
        let all = table(vec![short, long, linear]);
        let lengths = targets(&all)
            .into_iter()
            .find(|verdict| verdict.what.contains("full") && verdict.what.contains("length 512"));
        assert_eq!(lengths.unwrap().found.as_deref(), Some("1.00"));
    }

    #[test]
    fn what_every_step_costs_is_found() {
        // 40 ms, and 0.2 ms per token with 25 tokens per row.
        let cost = |batch: f64| 0.04 / (batch * 25.0) + 2e-4;
        let rows = vec![
            row("batch_8", 25.0, cost(8.0)),
            row("batch_256", 25.0, cost(256.0)),
        ];
        let table = table(rows);
        assert!((fixed_seconds(&table, FULL).unwrap() - 0.04).abs() < 1e-12);
        assert_eq!(fixed_seconds(&table, LORA), None);
        assert!(
            notes(&table)
                .iter()
                .any(|note| note.starts_with("full: 40 ms"))
        );
    }

    #[test]
    fn steps_have_about_as_many_tokens_in_every_case() {
        let steps: Vec<_> = CASES.iter().map(|case| case.steps(30)).collect();
        assert_eq!(steps, [60, 30, 8, 3, 30, 30, 3]);
    }
}
