//! `finetune plan`: what it says is what `train` then does, and it leaves nothing behind.

use std::fmt::Write;

use serde_json::Value;

use crate::{
    command::{Scratch, argument, split},
    fixtures,
};

/// Rows of some texts for each of two classes.
fn scratch(rows: usize) -> Scratch {
    let scratch = Scratch::new();
    for (split, rows) in [("train", rows), ("validation", 12), ("test", 6)] {
        let mut text = String::from("text,label\n");
        for row in 0..rows {
            let (word, label) = [("good", "pos"), ("bad", "neg")][row % 2];
            let more = "the story of a film ".repeat(row % 5);
            writeln!(text, "{word} {more}and it was number {row},{label}").unwrap();
        }
        scratch.write(&format!("data/{split}.csv"), text);
    }
    scratch
}

/// The strategies of a plan, and the one that is asked for.
fn strategies(plan: &Value) -> (Vec<&str>, &Value) {
    let all = plan["strategies"].as_array().unwrap();
    let names = all.iter().map(|one| one["strategy"].as_str().unwrap());
    let asked = all.iter().find(|one| one["asked"] == true).unwrap();
    (names.collect(), asked)
}

#[test]
fn a_run_does_what_its_plan_says() {
    let scratch = scratch(50);
    let model = fixtures::path("tiny_bert");
    for (number, options) in [
        "",
        "--strategy head --epochs 4 --eval-steps 5",
        "--strategy lora --batch-tokens 90 --gradient-accumulation-steps 2",
        "--strategy gradual --save-steps 4 --eval-steps 2",
        "--strategy contrastive --max-steps 7",
        "--strategy last:1 --eval-on-start false --max-steps 9",
        "--strategy features",
    ]
    .into_iter()
    .enumerate()
    {
        let line = format!(
            "--model {} --dataset data {options} --output run{number} --json",
            argument(&model)
        );
        let before = scratch.entries();
        let plan = scratch.run(&split(&format!(
            "plan {line} --compare full --compare lora"
        )));
        let plan = plan.succeeded().json();
        scratch.unchanged_since(&before);
        let (names, asked) = strategies(&plan);
        assert!(
            names.contains(&"full") && names.contains(&"lora"),
            "{names:?}"
        );
        assert!(asked["seconds"].as_f64().unwrap() > 0.0);
        assert!(asked["peak_memory_bytes"].as_u64().unwrap() > 1_000_000);

        let results = scratch
            .run(&split(&format!("train {line}")))
            .succeeded()
            .json();
        let run = format!("run{number}");
        let events = scratch.json_lines(&format!("{run}/events.jsonl"));
        let count =
            |name: &str| events.iter().filter(|event| event["event"] == name).count() as u64;
        let started = events
            .iter()
            .find(|event| event["event"] == "started")
            .unwrap();
        let workload = &plan["workload"];
        assert_eq!(workload["steps"], started["total_steps"], "{options}");
        assert_eq!(
            workload["warmup_steps"], started["warmup_steps"],
            "{options}"
        );
        assert_eq!(
            workload["padding_avoided"],
            started.get("padding_avoided").cloned().unwrap_or_default(),
            "{options}"
        );
        assert_eq!(workload["steps"], results["train"]["steps"], "{options}");
        // The test rows are evaluated once more.
        let evaluations = workload["evaluations"].as_u64().unwrap();
        assert_eq!(evaluations + 1, count("evaluated"), "{options}");
        let checkpoints = workload["checkpoints"].as_u64().unwrap();
        let if_best = workload["checkpoints_if_best"].as_u64().unwrap();
        let saved = count("checkpoint");
        assert!(
            (checkpoints..=checkpoints + if_best).contains(&saved),
            "{options}: {saved}"
        );
        assert_eq!(
            asked["trainable_parameters"], results["parameters"]["trainable"],
            "{options}"
        );
        assert_eq!(
            asked["parameters"], results["parameters"]["total"],
            "{options}"
        );
        let sizes = std::fs::read_dir(scratch.path(&format!("{run}/model"))).unwrap();
        let size: u64 = sizes
            .map(|file| file.unwrap().metadata().unwrap().len())
            .sum();
        let told = asked["model_bytes"].as_u64().unwrap();
        // Configurations and headers are not counted.
        assert!(
            told <= size && size < told + 20_000,
            "{options}: {told}, {size}"
        );
    }
}

#[test]
fn the_plan_is_shown_in_words() {
    let scratch = scratch(50);
    let model = fixtures::path("tiny_bert");
    let line = format!(
        "plan --model {} --dataset data --strategy head --max-length 12",
        argument(&model)
    );
    let shown = scratch.run(&split(&line)).succeeded().stdout;
    for part in [
        "12 of 16 rows: 3 epochs of 4 steps on 50 rows",
        "are truncated at 12 tokens",
        "1e-3",
        "before the first step and after each epoch: 4 times 12 rows",
        "at the end 6 test rows",
        "after each epoch: 3 checkpoints",
        "> head",
        "  full",
        "  ia3",
        "results of frozen layers",
    ] {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
}

/// Whatever `train` refuses, `plan` refuses with the same words.
#[test]
fn a_run_that_would_be_refused_has_no_plan() {
    let scratch = scratch(50);
    scratch.write("taken/file", "x");
    let model = fixtures::path("tiny_bert");
    for options in [
        "--dataset nothing",
        "--dataset data --strategy lats:2",
        "--dataset data --max-length 2000",
        "--dataset data --output taken",
        "--dataset data --set lora.r=4 --strategy full",
        "--dataset data --learning-rate 0",
    ] {
        let run = |command: &str| {
            let line = format!("{command} --model {} {options}", argument(&model));
            scratch.run(&split(&line))
        };
        let before = scratch.entries();
        let (train, plan) = (run("train"), run("plan"));
        plan.refused(&[]);
        assert_eq!(
            (train.code, train.stderr),
            (plan.code, plan.stderr),
            "{options}"
        );
        scratch.unchanged_since(&before);
    }
    let line = format!(
        "plan --model {} --dataset data --compare lats:2",
        argument(&model)
    );
    scratch.refuses(&split(&line), &["--compare", "lats:2"]);
}

/// A strategy that the options do not fit has its reason in the table, and the others their numbers.
#[test]
fn strategies_that_the_options_do_not_fit_have_their_reason() {
    let scratch = scratch(50);
    let model = fixtures::path("tiny_bert");
    let line = format!(
        "plan --model {} --dataset data --json --layerwise-lr-decay 0.9 --compare last:5 --compare head",
        argument(&model)
    );
    let plan = scratch.run(&split(&line)).succeeded().json();
    let (names, asked) = strategies(&plan);
    assert_eq!(names, ["full", "last:5", "head"]);
    assert_eq!(asked["strategy"], "full");
    let problem = plan["strategies"][1]["problem"].as_str().unwrap();
    assert!(problem.contains("not with these options"), "{problem}");
}
