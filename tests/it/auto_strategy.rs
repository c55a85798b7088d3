//! `--strategy auto`: the number of labelled rows decides.

use crate::{
    command::{Run, Scratch, split},
    fixtures, samples,
};

/// Training rows of each class up to which pairs are compared.
const LIMIT: usize = 64;

/// A data set with `rows` training rows, half of each class.
fn scratch(rows: usize) -> Scratch {
    let scratch = Scratch::new();
    let all = samples::examples(rows);
    scratch.write("data/train.csv", samples::csv(&all));
    scratch.write("data/validation.csv", samples::csv(&all[..8]));
    scratch
}

fn train(scratch: &Scratch, options: &str) -> Run {
    let fixed = "--dataset data --strategy auto --max-steps 1";
    let run = scratch.train(&split(&format!("{fixed} {options}")));
    run.succeeded()
}

fn plan(scratch: &Scratch) -> toml::Table {
    let text = String::from_utf8(scratch.read("run/plan.toml")).unwrap();
    text.parse().unwrap()
}

fn chosen(scratch: &Scratch) -> String {
    plan(scratch)["strategy"].as_str().unwrap().to_owned()
}

/// The note of the choice, of which there is one.
fn note(run: &Run) -> &str {
    let notes = run.stderr.lines();
    let notes: Vec<_> = notes
        .filter(|line| line.contains("strategy auto is"))
        .collect();
    assert_eq!(notes.len(), 1, "{run}");
    notes[0]
}

#[test]
fn few_rows_are_compared_in_pairs_and_more_are_not() {
    for (rows, expected, words) in [
        (
            24,
            "contrastive",
            &["24 training rows are 12 of each class", "--strategy full"][..],
        ),
        (
            2 * LIMIT,
            "contrastive",
            &["128 training rows are 64 of each class on average"],
        ),
        (
            2 * LIMIT + 2,
            "full",
            &[
                "130 training rows are 65 of each class",
                "more than 64 of each class",
                "--strategy contrastive",
            ],
        ),
    ] {
        let scratch = scratch(rows);
        let run = train(&scratch, "");
        for word in words {
            assert!(note(&run).contains(word), "no {word:?} in {run}");
        }
        assert_eq!(chosen(&scratch), expected, "{rows}");
        // What the note says instead, as it is typed.
        let (_, instead) = note(&run).split_once("--strategy ").unwrap();
        let instead = instead.split(' ').next().unwrap();
        let model = fixtures::path("tiny_bert");
        let line = format!(
            "train --model {} --dataset data --strategy {instead} --max-steps 1 --output instead",
            model.display()
        );
        let run = scratch.run(&split(&line)).succeeded();
        assert!(!run.stderr.contains("strategy auto"), "{run}");
    }
}

#[test]
fn the_epochs_follow_the_rows_unless_they_are_given() {
    let scratch = scratch(2 * LIMIT + 2);
    let fixed = "--dataset data --strategy auto --eval-strategy no --load-best-model-at-end false";
    let run = |options: &str, output: &str| {
        let line = format!("{fixed} {options} --output {output}");
        let model = fixtures::path("tiny_bert");
        let line = format!("train --model {} {line}", model.display());
        let run = scratch.run(&split(&line)).succeeded();
        let text = String::from_utf8(scratch.read(&format!("{output}/plan.toml"))).unwrap();
        let plan: toml::Table = text.parse().unwrap();
        (run, plan["epochs"].as_float().unwrap())
    };
    let (said, epochs) = run("", "few");
    assert_eq!(epochs, 10.0);
    assert!(note(&said).contains("full in 10 epochs"), "{said}");
    assert!(note(&said).contains("--epochs"), "{said}");
    let (said, epochs) = run("--epochs 2", "given");
    assert_eq!(epochs, 2.0);
    assert!(!note(&said).contains("epochs"), "{said}");
}

#[test]
fn what_has_no_pairs_is_trained_as_a_whole() {
    let scratch = scratch(24);
    for (number, (options, words)) in [
        ("--ema-decay 0.9", "ema_decay is set"),
        ("--class-weights balanced", "class_weights is set"),
        ("--batch-tokens 200", "batch_tokens is set"),
        ("--train-rows 2", "has a single training row"),
    ]
    .into_iter()
    .enumerate()
    {
        let model = fixtures::path("tiny_bert");
        let line = format!(
            "train --model {} --dataset data --strategy auto --max-steps 1 {options} --output {number}",
            model.display()
        );
        let run = scratch.run(&split(&line)).succeeded();
        assert!(note(&run).contains(words), "{run}");
        assert!(note(&run).contains("auto is full"), "{run}");
    }
}

#[test]
fn other_tasks_and_pairs_of_texts_are_trained_as_a_whole() {
    let rows = |cell: &dyn Fn(usize) -> String| -> String {
        (0..24)
            .map(|row| format!("a film,the plot {row},{}\n", cell(row)))
            .collect()
    };
    for (file, options, words) in [
        (
            format!("text,other,score\n{}", rows(&|row| format!("{row}.5"))),
            "--text-column text --label-column score",
            "the task is regression",
        ),
        (
            format!(
                "text,other,tags\n{}",
                rows(&|row| ["good", "good;warm", "warm"][row % 3].into())
            ),
            "--text-column text --label-column tags --label-separator ;",
            "the task is multi_label_classification",
        ),
        (
            format!(
                "text,other,label\n{}",
                rows(&|row| ["yes", "no"][row % 2].into())
            ),
            "--text-column text,other",
            "each row has two texts",
        ),
    ] {
        let scratch = Scratch::new();
        scratch.write("rows.csv", file);
        let fixed = "--dataset rows.csv --strategy auto --max-steps 1";
        let run = scratch.train(&split(&format!("{fixed} {options}")));
        let run = run.succeeded();
        assert!(note(&run).contains(words), "{run}");
        assert_eq!(chosen(&scratch), "full", "{run}");
    }
}

/// The plan has the strategy, so nothing chooses again.
#[test]
fn a_resumed_or_repeated_run_has_the_strategy_that_was_chosen() {
    let scratch = scratch(24);
    train(&scratch, "");
    std::fs::remove_file(scratch.path("run/results.json")).unwrap();
    let resumed = scratch.run(&split("resume run")).succeeded();
    assert!(!resumed.stderr.contains("strategy auto"), "{resumed}");
    let repeated = scratch.run(&split("replay run")).succeeded();
    assert!(!repeated.stderr.contains("strategy auto"), "{repeated}");
}

#[test]
fn where_there_are_no_labels_there_is_nothing_to_choose_by() {
    let scratch = scratch(24);
    let model = fixtures::path("tiny_bert");
    let model = model.display();
    scratch.refuses(
        &split(&format!(
            "pretrain --model {model} --dataset data --strategy auto --output run"
        )),
        &["strategy auto", "pretraining has none"],
    );
    scratch.refuses(
        &split(&format!("inspect {model} --strategy auto")),
        &["strategy \"auto\"", "finetune train", "contrastive"],
    );
    let teacher = format!("train --model {model} --dataset data --max-steps 1 --output teacher");
    scratch.run(&split(&teacher)).succeeded();
    scratch.refuses(
        &split("distill --teacher teacher --dataset data --strategy auto --output student"),
        &["strategy auto", "a student learns from single ones"],
    );
    let adapter =
        format!("train --model {model} --dataset data --strategy lora --max-steps 1 --output lora");
    scratch.run(&split(&adapter)).succeeded();
    scratch.refuses(
        &split("train --adapter lora/model --dataset data --strategy auto --output more"),
        &["is an adapter", "leave it out"],
    );
}
