//! The job `predict`, which measures texts per second of the model alone and with reading and
//! tokenizing.

use anyhow::Result;

use super::predict_run::{PredictRun, Predicted, classifier, export_onnx};
use super::results::{Column, JobResult, PEAK_MEMORY, Table, Verdict};
use super::targets::Target;
use super::train_run::Precision;
use super::workbench::{Contestant, Outcome, Workbench};

const BATCH: usize = 32;
const MAX_LENGTH: usize = 256;

/// Number of words that certainly make more than [`MAX_LENGTH`] tokens.
const LONG_WORDS: usize = 300;

const MODEL: &str = "model_texts_per_second";
const ALL: &str = "texts_per_second";
const TOKENS: &str = "tokens_per_text";

/// The contestants in the order in which they run in a round.
const CONTESTANTS: [Contestant; 5] = [
    Contestant {
        key: "finetune_f32",
        name: "finetune f32",
    },
    Contestant {
        key: "transformers_f32",
        name: "transformers f32",
    },
    Contestant {
        key: "onnx_f32",
        name: "ONNX Runtime f32",
    },
    Contestant {
        key: "finetune_bf16",
        name: "finetune bf16",
    },
    Contestant {
        key: "torch_bf16_sorted",
        name: "PyTorch bf16 sorted",
    },
];

const THEIRS: [&str; 3] = ["transformers_f32", "onnx_f32", "torch_bf16_sorted"];

/// Runs the job.
///
/// # Errors
/// Fails if a run fails.
pub fn run(bench: &Workbench) -> Result<JobResult> {
    let model = classifier(bench)?;
    let (short, long) = (bench.arguments.texts, bench.arguments.texts.div_ceil(4));
    let settings = format!(
        "A classifier of all-MiniLM-L6-v2, {BATCH} texts at a time: {short} short ones of {}, and \
         {long} long ones made of them, cut at {MAX_LENGTH} tokens. Batches are in the order of the \
         file, but for PyTorch bf16, which has all texts sorted by length before, and finetune, which \
         reads a part of the file at a time, computes similar lengths of it together and answers in \
         the file's order. Model: without reading, tokenizing and padding. Loading the model counts \
         nowhere.",
        bench.corpus.name
    );
    export_onnx(bench, &model)?;
    let mut result = bench.result("Prediction, MiniLM", settings);
    for (title, texts, words) in [("short texts", short, 0), ("long texts", long, LONG_WORDS)] {
        let data = bench.corpus.write(&bench.data(), texts, words)?;
        let name = title.replace(' ', "-");
        let table = bench.rounds(
            &format!("predict, {title}"),
            columns(),
            &CONTESTANTS,
            |who, round| {
                let name = format!("predict-{name}-{}-{round}", who.key);
                let run = PredictRun {
                    name: &name,
                    model: &model,
                    texts: &data.join("train.parquet"),
                    batch_size: BATCH,
                    max_length: MAX_LENGTH,
                };
                Ok(match measure(bench, who, run)? {
                    Ok(predicted) => {
                        result.add_versions(&predicted.versions);
                        Ok(values(&predicted))
                    }
                    Err(reason) => Outcome::Err(reason),
                })
            },
        )?;
        let table = Table {
            title: title.to_owned(),
            ..table.compared(MODEL, &THEIRS)
        };
        result.targets.extend(targets(title, &table));
        result.tables.push(table);
    }
    Ok(result)
}

fn measure(
    bench: &Workbench,
    who: &Contestant,
    run: PredictRun<'_>,
) -> Result<Result<Predicted, String>> {
    match who.key {
        "finetune_f32" => run.ours(bench, Precision::F32).map(Ok),
        "finetune_bf16" => run.ours(bench, Precision::Bf16).map(Ok),
        "transformers_f32" => run.theirs(bench, "transformers"),
        "onnx_f32" => run.theirs(bench, "onnx"),
        _ => run.theirs(bench, "torch-bf16"),
    }
}

fn values(predicted: &Predicted) -> Vec<(&'static str, f64)> {
    let timings = &predicted.timings;
    let peak = predicted
        .peak_bytes
        .map(|bytes| (PEAK_MEMORY, bytes as f64));
    [
        (MODEL, timings.model_texts_per_second()),
        (ALL, timings.texts_per_second()),
        (TOKENS, timings.tokens as f64 / timings.texts as f64),
    ]
    .into_iter()
    .chain(peak)
    .collect()
}

fn columns() -> Vec<Column> {
    vec![
        Column::new(MODEL, "model, texts/s", 1),
        Column::new(ALL, "all, texts/s", 1),
        Column::peak_memory(),
        Column::new(TOKENS, "tokens", 1),
    ]
}

fn targets(title: &str, table: &Table) -> Vec<Verdict> {
    let faster = |ours: &'static str, theirs: &'static str, words: &str, times| {
        let what = format!("{title}, {words}");
        Target::TimesAsFast {
            what: &what,
            ours: (&[ours], MODEL),
            theirs: (&[theirs], MODEL),
            times,
        }
        .judge(table)
    };
    let whole = |ours: &'static str, words: &str| {
        let what = format!("{title}, {words}: all / model alone");
        Target::TimesAsFast {
            what: &what,
            ours: (&[ours], ALL),
            theirs: (&[ours], MODEL),
            times: 0.9,
        }
        .judge(table)
    };
    vec![
        faster("finetune_f32", THEIRS[0], "f32 / transformers f32", 3.0),
        faster("finetune_f32", THEIRS[1], "f32 / ONNX Runtime f32", 1.5),
        faster(
            "finetune_bf16",
            THEIRS[2],
            "bf16 / PyTorch bf16 sorted",
            1.0,
        ),
        whole("finetune_f32", "f32"),
        whole("finetune_bf16", "bf16"),
    ]
}
