//! Batches by tokens: the steps of unequal epochs are counted exactly.

use std::num::{NonZeroU64, NonZeroUsize};

use finetune_data::{BatchSize, Dataset, Sampler, SamplerOptions, TextTokenizer, TokenizedDataset};
use finetune_train::{OptimizationPlan, RunLength, Steps, TrainPlan};
use serde_json::Value;

use crate::{
    command::{Scratch, split},
    fixtures, samples,
};

const TOKENS: usize = 60;

/// Rows of 6 to 17 tokens, more unequal than those of the other tests.
fn texts(rows: usize) -> String {
    let long = |number: usize| " with a plot".repeat(number * 7 % 9 / 3);
    let examples = samples::examples(rows).into_iter().enumerate();
    let rows: Vec<_> = examples
        .map(|(number, (text, class))| (text + &long(number), class))
        .collect();
    samples::csv(&rows)
}

fn scratch() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("data/train.csv", texts(160));
    scratch.write("data/validation.csv", texts(20));
    scratch
}

fn tokenized(scratch: &Scratch) -> TokenizedDataset {
    let tokenizer = fixtures::path("tiny_bert").join("tokenizer.json");
    let tokenizer = TextTokenizer::from_file(tokenizer).unwrap();
    let dataset = Dataset::open(scratch.path("data").display().to_string()).unwrap();
    let rows = dataset.split("train").unwrap();
    rows.tokenize(&tokenizer, 64).unwrap()
}

/// The rows of each step of each epoch, straight from the sampler.
fn expected(data: &TokenizedDataset, plan: &TrainPlan, epochs: u64) -> Vec<Vec<Vec<Vec<u64>>>> {
    let options = SamplerOptions {
        batch: plan.optimization.batch,
        seed: plan.seed,
        shuffle: true,
        length_buckets: plan.optimization.length_buckets.map(NonZeroUsize::get),
    };
    let sampler = Sampler::new(data, options).unwrap();
    let epoch = |epoch| {
        let batches: Vec<_> = sampler.epoch(epoch).unwrap().map(Result::unwrap).collect();
        let steps = batches.chunks(plan.optimization.gradient_accumulation_steps);
        steps.map(<[_]>::to_vec).collect::<Vec<_>>()
    };
    (0..epochs).map(epoch).collect()
}

#[test]
fn steps_are_those_of_the_sampler_from_any_step_on() {
    let scratch = scratch();
    let data = tokenized(&scratch);
    for (accumulation, length_buckets) in [(1, 0), (3, 0), (2, 5)] {
        let mut plan = TrainPlan::default();
        plan.optimization = OptimizationPlan {
            batch: BatchSize::Tokens(TOKENS),
            gradient_accumulation_steps: accumulation,
            length_buckets: NonZeroUsize::new(length_buckets),
            length: RunLength::Epochs(8.0),
            ..plan.optimization
        };
        let epochs = expected(&data, &plan, 8);
        let sizes: Vec<_> = epochs.iter().map(|steps| steps.len() as u64).collect();
        if accumulation == 1 {
            assert!(sizes.iter().any(|&size| size != sizes[0]), "{sizes:?}");
        }
        let all = epochs.concat();
        let steps = Steps::new(&plan, &data).unwrap();
        assert_eq!(steps.total, all.len() as u64);
        for (first, batches) in (0..).zip(&all) {
            let mut found = steps.from(first).unwrap();
            assert_eq!(&found.next().unwrap().unwrap(), batches, "step {first}");
        }
        let found: Result<Vec<_>, _> = steps.from(0).unwrap().collect();
        assert_eq!(found.unwrap(), all);
        let mut end = 0;
        for (epoch, size) in (1u8..).zip(&sizes) {
            assert_eq!(steps.epochs(end + 1).floor() + 1.0, f64::from(epoch));
            end += size;
            assert_eq!(steps.epochs(end), f64::from(epoch));
            assert!(steps.moment(end, false).epoch_ends);
            assert!(!steps.moment(end - 1, false).epoch_ends);
        }

        // A part of an epoch is that share of its own steps.
        let mut part = plan.clone();
        part.optimization.length = RunLength::Epochs(1.5);
        let total = Steps::new(&part, &data).unwrap().total;
        assert_eq!(total, sizes[0] + sizes[1].div_ceil(2));
        // By steps, epochs are counted as far as those go.
        let number = sizes[0] + sizes[1] + 1;
        let mut by_steps = plan;
        by_steps.optimization.length = RunLength::Steps(NonZeroU64::new(number).unwrap());
        let steps = Steps::new(&by_steps, &data).unwrap();
        assert_eq!(steps.total, number);
        let found: Result<Vec<_>, _> = steps.from(0).unwrap().collect();
        assert_eq!(found.unwrap(), all[..number as usize]);
    }
}

#[test]
fn a_run_by_tokens() {
    let scratch = scratch();
    let options = format!(
        "--dataset data --train-rows 0 --batch-tokens {TOKENS} --gradient-accumulation-steps 2 \
         --length-buckets 4 --epochs 2.5 --learning-rate 1e-3 --seed 7 --max-length 64 --json"
    );
    let run = scratch.train(&split(&options)).succeeded();
    let mut plan = TrainPlan {
        seed: 7,
        ..TrainPlan::default()
    };
    plan.optimization.batch = BatchSize::Tokens(TOKENS);
    plan.optimization.gradient_accumulation_steps = 2;
    plan.optimization.length_buckets = NonZeroUsize::new(4);
    let data = tokenized(&scratch);
    let epochs = expected(&data, &plan, 3);
    let sizes: Vec<_> = epochs.iter().map(Vec::len).collect();
    let total = sizes[0] + sizes[1] + sizes[2].div_ceil(2);
    assert_eq!(run.json()["train"]["steps"], total);

    let events = scratch.json_lines("run/events.jsonl");
    let all = |kind: &str| -> Vec<&Value> {
        events
            .iter()
            .filter(|event| event["event"] == kind)
            .collect()
    };
    assert_eq!(all("started")[0]["total_steps"], total);
    let steps = all("step");
    assert_eq!(steps.len(), total);
    for (event, batches) in steps.iter().zip(epochs.concat()) {
        let rows: Vec<_> = batches.iter().flatten().collect();
        let tokens = rows.iter().map(|&&row| data.row_len(row).unwrap());
        assert_eq!(event["rows"], rows.len());
        assert_eq!(event["tokens"], tokens.sum::<u32>());
        assert!(event["tokens"].as_u64().unwrap() <= 2 * TOKENS as u64);
    }
    // The learning rate reaches its end with the last step, and evaluations come by epoch.
    let last = steps[total - 1]["learning_rate"].as_f64().unwrap();
    assert!(last > 0.0 && last < 1e-3 / (total as f64 - 9.0), "{last}");
    let evaluated = all("evaluated").into_iter();
    let evaluated: Vec<_> = evaluated
        .map(|event| event["step"].as_u64().unwrap())
        .collect();
    let ends = [0, sizes[0], sizes[0] + sizes[1], total].map(|step| step as u64);
    assert_eq!(evaluated, ends);
    let (before, after) = (&run.json()["before"], &run.json()["validation"]);
    let loss = |metrics: &Value| metrics["loss"].as_f64().unwrap();
    assert!(loss(after) < loss(before), "{before} {after}");
}
