//! Learning from a teacher equals PyTorch: losses, gradients, ten steps. And the command does what it says.

use std::{collections::BTreeMap, fs};

use burn::{module::Module, tensor::Device};
use finetune_data::{Labels, PackedBatch};
use finetune_kernels::DropoutSource;
use finetune_models::{SavedModel, SequenceClassifier, Task, to_file_layout};
use finetune_train::{
    Classifier, DistillationLoss, DistillationPlan, LossConfig, Optimizer, OptimizerConfig,
    ParameterGradients, ParameterGroups, Schedule, ScheduleConfig, clip_factor,
};
use serde_json::{Value, json};

use crate::{
    command::{Run, Scratch, split},
    fixtures::{self, Fixture, devices, largest_difference, relative_norm, values},
    samples, tolerance,
};

/// The layer of the teacher that the student of the fixtures has, and the elements of a gradient that they
/// have, at least.
const LAYER: usize = 1;
const ELEMENTS: usize = 40;
/// The rows of a batch of the fixtures, all of them shorter than the tiny models allow.
const ROWS: u64 = 7;

/// A case of the fixtures: its name, the labels' task, temperature, weights, and number of labelled rows.
type Case = (&'static str, &'static str, f64, [f64; 4], u64);

const CASES: [Case; 8] = [
    ("soft", "classes", 3.0, [1.0, 0.0, 0.0, 0.0], 7),
    ("hard", "classes", 1.0, [0.0, 1.0, 0.0, 0.0], 7),
    ("cosine", "classes", 1.0, [0.0, 0.0, 1.0, 0.0], 7),
    ("attention", "classes", 1.0, [0.0, 0.0, 0.0, 1.0], 7),
    ("partly_labelled", "classes", 2.0, [0.5, 0.5, 0.0, 0.0], 3),
    ("all", "classes", 2.0, [0.6, 0.4, 0.7, 0.3], 5),
    ("multi_label", "multi_label", 2.0, [0.5, 0.5, 0.0, 0.0], 4),
    ("regression", "regression", 2.0, [0.5, 0.5, 0.0, 0.0], 4),
];

fn plan([soft, hard, cosine, attention]: [f64; 4], temperature: f64) -> DistillationPlan {
    DistillationPlan {
        temperature,
        soft_weight: soft,
        hard_weight: hard,
        cosine_weight: cosine,
        attention_weight: attention,
        ..DistillationPlan::new("teacher")
    }
}

fn models(name: &str, task: &str, device: &Device) -> (SequenceClassifier, SequenceClassifier) {
    let directory = fixtures::path(&format!("tiny_{name}"));
    let (mut teacher, report) = SequenceClassifier::load(&directory, None, 0, device).unwrap();
    assert_eq!(report.fresh, [""; 0]);
    let names = teacher.config().outputs.names().to_vec();
    let outputs = match task {
        "classes" => Task::Classes(names),
        "multi_label" => Task::MultiLabel(names),
        _ => Task::Regression(names),
    };
    teacher.name_outputs(outputs).unwrap();
    let student = teacher.clone().with_layers(&[LAYER]).unwrap();
    (teacher, student.train())
}

/// The batch with this prefix, whose first `labelled` rows have labels.
fn batch(fixture: &mut Fixture, prefix: &str, task: &str, labelled: u64) -> PackedBatch {
    let (rows, width) = (labelled as usize, 3);
    let mut read = |name: &str| fixture.integers(&format!("{prefix}{name}"));
    let labels = match task {
        "classes" => Labels::Classes(read("classes")[..rows].to_vec()),
        "multi_label" => Labels::MultiLabel {
            width,
            values: read("marks")[..rows * width]
                .iter()
                .map(|&mark| mark == 1)
                .collect(),
        },
        _ => {
            let values = fixture.floats(&format!("{prefix}values"));
            let values = values[..rows * width].iter().copied().map(f64::from);
            Labels::Values {
                width,
                values: values.collect(),
            }
        }
    };
    PackedBatch {
        tokens: fixture.tokens(prefix),
        rows: (0..ROWS).collect(),
        labels,
    }
}

fn backward(
    (name, task, temperature, weights, labelled): Case,
    teacher: &SequenceClassifier,
    student: &SequenceClassifier,
    batch: PackedBatch,
) -> (f64, ParameterGradients) {
    let logits = teacher.forward(&batch.tokens, DropoutSource::OFF).unwrap();
    let (plan, hard) = (plan(weights, temperature), LossConfig::default());
    let loss = DistillationLoss::new(&plan, &hard, labelled).with_teacher(Some(teacher));
    assert_eq!(batch.labels.targets().is_some(), !task.is_empty(), "{name}");
    let (losses, gradients) = loss
        .backward(student, &[batch], &[values(logits)], |_| DropoutSource::OFF)
        .unwrap();
    (losses.total(), gradients)
}

fn some(values: &[f32]) -> Vec<f32> {
    let step = (values.len() / ELEMENTS).max(1);
    values.iter().copied().step_by(step).collect()
}

#[test]
fn losses_and_gradients() {
    for name in ["bert", "distilbert"] {
        let mut fixture = Fixture::open(&format!("distillation/{name}.safetensors"));
        for device in devices() {
            for case in CASES {
                let (what, task, _, _, labelled) = case;
                let (teacher, student) = models(name, task, &device);
                let batch = batch(&mut fixture, "", task, labelled);
                let logits = teacher.forward(&batch.tokens, DropoutSource::OFF).unwrap();
                let expected = fixture.floats("teacher_logits");
                let difference = largest_difference(&values(logits), &expected);
                assert!(difference < tolerance::LOGITS, "{name}: {difference}");

                let (loss, gradients) = backward(case, &teacher, &student, batch);
                let expected = f64::from(fixture.floats(&format!("{what}.loss"))[0]);
                let difference = (loss - expected).abs();
                assert!(
                    difference < tolerance::LOGITS * expected.max(1.0),
                    "{name}: {what}: {loss} instead of {expected}"
                );
                let gradients: BTreeMap<_, _> = gradients.iter().collect();
                for (parameter, tensor) in student.named_tensors() {
                    let zeros = || tensor.zeros_like();
                    let gradient = gradients.get(&parameter.path).cloned();
                    let gradient = values(gradient.unwrap_or_else(zeros));
                    let found = some(&to_file_layout(&parameter, gradient));
                    let key = format!("{what}.grad.{}", parameter.name);
                    let expected = fixture.floats(&key);
                    let largest = expected.iter().fold(0.0f32, |all, x| all.max(x.abs()));
                    // Softmax cancels key biases, and some terms do not reach the head.
                    let (difference, most) = match largest < 1e-6 {
                        true => (
                            largest_difference(&found, &expected),
                            tolerance::ZERO_GRADIENT,
                        ),
                        false => (relative_norm(&found, &expected), tolerance::GRADIENT),
                    };
                    assert!(difference < most, "{name}: {key}: {difference}");
                }
            }
        }
    }
}

#[test]
fn ten_steps_of_training() {
    let case = CASES[5];
    let (_, task, _, _, labelled) = case;
    for name in ["bert", "distilbert"] {
        let mut fixture = Fixture::open(&format!("distillation/{name}.safetensors"));
        let losses = fixture.floats("losses");
        let rates = fixture.doubles("learning_rates");
        for device in devices() {
            let (teacher, mut student) = models(name, task, &device);
            let schedule = Schedule::new(&ScheduleConfig::default(), 1e-3, 2, 10).unwrap();
            let mut optimizer =
                Optimizer::new(OptimizerConfig::default(), ParameterGroups::new(0.01, 1));
            for step in 0..10 {
                let batch = batch(&mut fixture, &format!("step{step}."), task, labelled);
                let (loss, gradients) = backward(case, &teacher, &student, batch);
                let difference = (loss - f64::from(losses[step])).abs();
                assert!(
                    difference < tolerance::TRAJECTORY_LOSS,
                    "{name}: step {step}: {difference}"
                );
                let norm = gradients.global_norm();
                let rate = schedule.at(step as u64);
                assert!((rate - rates[step]).abs() < 1e-15);
                student = optimizer.step(student, gradients, rate, None, clip_factor(norm, 1.0));
            }
            for (parameter, tensor) in student.named_tensors() {
                let found = some(&to_file_layout(&parameter, values(tensor)));
                let expected = fixture.floats(&format!("final.{}", parameter.name));
                // See parity.rs.
                let is_key_bias = ["key.bias", "k_lin.bias"]
                    .iter()
                    .any(|end| parameter.name.ends_with(end));
                let most = match is_key_bias {
                    true => rates.iter().sum(),
                    false => tolerance::TRAJECTORY_WEIGHT,
                };
                let difference = largest_difference(&found, &expected);
                assert!(
                    difference < most,
                    "{name}: {}: {difference}",
                    parameter.name
                );
            }
        }
    }
}

/// The gradients of several batches add up to those of one, also where only some rows have labels.
#[test]
fn batches_of_a_step_add_up() {
    let case = CASES[5];
    let (_, task, temperature, weights, labelled) = case;
    let device = devices().remove(0);
    let (teacher, student) = models("bert", task, &device);
    let mut fixture = Fixture::open("distillation/bert.safetensors");
    let whole = batch(&mut fixture, "", task, labelled);
    let Labels::Classes(classes) = &whole.labels else {
        panic!("{:?}", whole.labels)
    };
    let parts: Vec<PackedBatch> = [0..2, 2..7]
        .map(|rows: std::ops::Range<usize>| PackedBatch {
            tokens: whole.tokens.select(&rows.clone().collect::<Vec<_>>()),
            rows: rows.clone().map(|row| row as u64).collect(),
            labels: Labels::Classes(classes[rows.start..rows.end.min(5)].to_vec()),
        })
        .into();
    let (plan, hard) = (plan(weights, temperature), LossConfig::default());
    let loss = DistillationLoss::new(&plan, &hard, labelled).with_teacher(Some(&teacher));
    let logits: Vec<_> = parts
        .iter()
        .map(|batch| values(teacher.forward(&batch.tokens, DropoutSource::OFF).unwrap()))
        .collect();
    let (losses, gradients) = loss
        .backward(&student, &parts, &logits, |_| DropoutSource::OFF)
        .unwrap();
    let (expected, of_whole) = backward(case, &teacher, &student, whole);
    let sum = losses.total();
    assert!((sum - expected).abs() < 1e-6, "{sum} {expected}");
    let difference = gradients.global_norm() / of_whole.global_norm() - 1.0;
    assert!(difference.abs() < 1e-5, "{difference}");
}

/// A teacher in `teacher`, trained on the data set in `data`.
fn teacher(scratch: &Scratch, options: &str) {
    let tiny = fixtures::path("tiny_bert");
    let fixed = "train --dataset data --output teacher --learning-rate 2e-3 --model";
    let arguments = [
        &split(fixed)[..],
        &[tiny.to_str().unwrap()],
        &split(options),
    ]
    .concat();
    scratch.run(&arguments).succeeded();
}

fn distill(scratch: &Scratch, output: &str, options: &str) -> Run {
    let fixed = "distill --teacher teacher --dataset data --learning-rate 2e-3 --output";
    scratch.run(&[&split(fixed)[..], &[output], &split(options)].concat())
}

fn weights(scratch: &Scratch, run: &str) -> Vec<u8> {
    scratch.read(&format!("{run}/model/model.safetensors"))
}

#[test]
fn a_student_of_layers_is_trained_and_used() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    teacher(&scratch, "--epochs 2");
    let run = distill(&scratch, "run", "--epochs 2").succeeded();
    for words in [
        "layer 0 of teacher, with its embeddings and head (bert, width 32)",
        "weights: 0.5 soft labels at temperature 2, 0.5 labels",
        "teacher labels",
    ] {
        assert!(run.stderr.contains(words), "{words}: {run}");
    }
    for words in ["test rows by teacher and student", "agreement of both: "] {
        assert!(run.stdout.contains(words), "{words}: {run}");
    }
    let config = scratch.json("run/model/config.json");
    assert_eq!(config["num_hidden_layers"], 1);
    assert_eq!(
        config["architectures"],
        json!(["BertForSequenceClassification"])
    );
    let results = scratch.json("run/results.json");
    let teachers = scratch.json("teacher/results.json");
    let agreement = &results["test"]["agreement"];
    assert!((0.0..=1.0).contains(&agreement.as_f64().unwrap()));
    assert!(results["validation"]["agreement"].is_number(), "{results}");
    let events = scratch.json_lines("run/events.jsonl");
    let last = events
        .iter()
        .rfind(|event| event["event"] == "evaluated")
        .unwrap();
    assert_eq!(last["split"], "test");
    assert_eq!(&last["metrics"]["agreement"], agreement);
    // The teacher is as good as it was.
    for metric in ["accuracy", "f1_macro"] {
        assert_eq!(results["teacher"]["test"][metric], teachers["test"][metric]);
    }
    let plan = String::from_utf8(scratch.read("run/plan.toml")).unwrap();
    assert!(plan.contains("[distillation]"), "{plan}");
    assert!(plan.contains("student_layers = [0]"), "{plan}");

    scratch.run(&["evaluate", "run"]).succeeded();
    let predicted = scratch.run(&["predict", "--model", "run", "a good film"]);
    predicted.succeeded();
    scratch.run(&["inspect", "run"]).succeeded();
    let replay = scratch
        .run(&["replay", "run", "--output", "again"])
        .succeeded();
    assert!(replay.stdout.contains("bit-identical"), "{replay}");
}

/// A killed run goes on to the same bits, and does not ask the teacher again.
#[test]
fn a_killed_run_goes_on() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    scratch.write(
        "more.txt",
        "a good film\na dull story\nnot much of a plot\n".repeat(9),
    );
    teacher(&scratch, "--epochs 1");
    let options = "--epochs 3 --save-steps 2 --eval-strategy no --load-best-model-at-end false --unlabelled more.txt";
    let whole = distill(&scratch, "whole", options).succeeded();
    assert!(whole.stderr.contains("(27 without labels)"), "{whole}");
    let killed = distill(&scratch, "killed", options).succeeded();
    drop(killed);
    // As if it had been killed after its second checkpoint.
    let checkpoints = scratch.path("killed/checkpoints");
    let mut steps: Vec<_> = fs::read_dir(&checkpoints)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    steps.sort_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
    fs::remove_dir_all(steps.pop().unwrap()).unwrap();
    fs::remove_dir_all(scratch.path("killed/model")).unwrap();
    fs::remove_file(scratch.path("killed/results.json")).unwrap();
    // Nobody reads the weights of a teacher whose logits are kept.
    let teacher_file = scratch.path("teacher/model/model.safetensors");
    let teacher_weights = fs::read(&teacher_file).unwrap();
    fs::remove_file(&teacher_file).unwrap();
    fs::write(
        scratch.path("killed/teacher/.train.logits-abcdef.partial"),
        "half",
    )
    .unwrap();
    let resumed = scratch.run(&["resume", "killed"]).succeeded();
    assert!(!resumed.stderr.contains("teacher labels"), "{resumed}");
    let kept = fs::read_dir(scratch.path("killed/teacher")).unwrap();
    assert_eq!(kept.count(), 3, "half-written logits are removed");
    assert!(weights(&scratch, "whole") == weights(&scratch, "killed"));

    // Damaged logits are computed again, by the teacher that the run began with.
    fs::remove_file(scratch.path("killed/results.json")).unwrap();
    let logits = scratch.path("killed/teacher/train.logits");
    let intact = fs::read(&logits).unwrap();
    let mut damaged = intact.clone();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(&logits, damaged).unwrap();
    fs::write(&teacher_file, "other weights").unwrap();
    let other = scratch.run(&["resume", "killed"]);
    other.failed(2, &["is not the one that the run began with"]);
    fs::write(&teacher_file, teacher_weights).unwrap();
    let again = scratch.run(&["resume", "killed"]).succeeded();
    assert!(again.stderr.contains("its checksum is wrong"), "{again}");
    assert!(fs::read(&logits).unwrap() == intact);
}

/// A run whose student begins with layers of the teacher keeps them, and is not held up by a file of them
/// that was damaged.
#[test]
fn the_layers_that_a_student_begins_with() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    scratch.write("more.txt", "a good film\na dull story\n");
    teacher(&scratch, "--epochs 1");
    let options = "--max-steps 3 --unlabelled more.txt";
    distill(&scratch, "whole", options).succeeded();
    distill(&scratch, "run", options).succeeded();
    fs::remove_file(scratch.path("run/results.json")).unwrap();
    let initial = scratch.path("run/initial/model.safetensors");
    fs::copy(scratch.path("whole/model/model.safetensors"), &initial).unwrap();
    let damaged = scratch.run(&["resume", "run"]);
    damaged.failed(2, &["run/initial", "remove that directory"]);
    fs::copy(scratch.path("whole/initial/model.safetensors"), &initial).unwrap();
    let config = scratch.read("run/initial/config.json");
    let config = String::from_utf8(config).unwrap();
    scratch.write("run/initial/config.json", config + " ");
    let changed = scratch.run(&["resume", "run"]);
    changed.failed(2, &["config.json", "run/initial", "remove that directory"]);

    // It is made of the teacher that the run began with, and of no other.
    fs::remove_dir_all(scratch.path("run/initial")).unwrap();
    let teacher_file = scratch.path("teacher/model/model.safetensors");
    let teacher_weights = fs::read(&teacher_file).unwrap();
    let mut other = teacher_weights.clone();
    *other.last_mut().unwrap() ^= 1;
    fs::write(&teacher_file, other).unwrap();
    let changed = scratch.run(&["resume", "run"]);
    changed.failed(
        2,
        &["the teacher", "is not the one that the run began with"],
    );
    assert!(!scratch.path("run/initial").exists());
    fs::write(&teacher_file, teacher_weights).unwrap();
    scratch.write("more.txt", "a good film\na fine story\n");
    let texts = scratch.run(&["resume", "run"]);
    texts.failed(2, &["the training rows of data, or the texts of more.txt,"]);
    scratch.write("more.txt", "a good film\na dull story\n");
    scratch.run(&["resume", "run"]).succeeded();
    assert!(weights(&scratch, "whole") == weights(&scratch, "run"));
}

/// Columns and CSV options hold for texts without labels as for the labelled rows.
#[test]
fn further_texts_are_read_as_the_rows_are() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    teacher(&scratch, "--epochs 1");
    let texts = ["a good film", "\"a dull story", "not much\" of a plot"];
    scratch.write(
        "rows.csv",
        "text,review,label\n".to_string()
            + &"same,a film,negative\nsame,\"the film,positive\n".repeat(9),
    );
    scratch.write("one.csv", format!("review\n{}\n", texts.join("\n")));
    let two = texts.map(|text| format!("other,{text}\n")).concat();
    scratch.write("two.csv", format!("text,review\n{two}"));
    scratch.write("other.csv", format!("text\n{}\n", texts.join("\n")));
    let logits = |name: &str| {
        let line = format!(
            "distill --teacher teacher --dataset rows.csv --text-column review --csv-quoting none \
             --max-steps 2 --unlabelled {name}.csv --output {name}"
        );
        let run = scratch.run(&split(&line)).succeeded();
        assert!(run.stderr.contains("(3 without labels)"), "{run}");
        let noted = run.stderr.contains("has no column `review`");
        assert_eq!(noted, name == "other", "{run}");
        scratch.read(&format!("{name}/teacher/train.logits"))
    };
    let expected = logits("one");
    assert!(logits("two") == expected && logits("other") == expected);

    // What a message advises works.
    let lines = "{\"text\": \"a film\"}\n{\"text\": null}\n{\"text\": \"the plot\"}\n";
    scratch.write("gap.jsonl", lines);
    let gap = "--max-steps 2 --unlabelled gap.jsonl";
    distill(&scratch, "gap", gap).failed(2, &["gap.jsonl", "--skip-invalid"]);
    let skipped = distill(&scratch, "gap", &format!("{gap} --skip-invalid")).succeeded();
    assert!(skipped.stderr.contains("(2 without labels)"), "{skipped}");
    scratch.write("odd.csv", "a,b\nthe plot,a film\na film,the plot\n");
    let odd = distill(&scratch, "odd", "--unlabelled odd.csv");
    odd.failed(2, &["odd.csv", "`a`, `b`", "call it `text`"]);
    scratch.write("odd.csv", "a,text\nthe plot,a film\na film,the plot\n");
    distill(&scratch, "odd", "--max-steps 2 --unlabelled odd.csv").succeeded();
}

/// Hidden states and attention can be imitated where their shapes are the same.
#[test]
fn encoders_are_imitated_where_they_are_alike() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    teacher(&scratch, "--epochs 1");
    let options = "--max-steps 3 --cosine-weight 1 --attention-weight 0.5";
    let run = distill(&scratch, "run", options).succeeded();
    assert!(
        run.stderr.contains("1 hidden states, 0.5 attention"),
        "{run}"
    );
    scratch.write(
        "narrow.toml",
        "hidden_size = 24\nlayers = 1\nheads = 3\nfeed_forward_size = 40\nmax_length = 64\n",
    );
    let narrow = "--init scratch --encoder narrow.toml --max-steps 2";
    let run = distill(&scratch, "narrow", narrow).succeeded();
    assert!(!run.stderr.contains("other tokenizers"), "{run}");
    for (flag, words) in [
        (
            "--cosine-weight",
            "hidden_size is 32 in the teacher and 24 in the student",
        ),
        (
            "--attention-weight",
            "num_attention_heads is 4 in the teacher and 3 in the student",
        ),
    ] {
        let refused = distill(&scratch, "refused", &format!("{narrow} {flag} 1"));
        refused.failed(2, &[flag, words]);
        assert!(!scratch.path("refused").exists());
    }
}

/// A student may have another tokenizer, whose tokens are not the teacher's.
#[test]
fn another_tokenizer() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    teacher(&scratch, "--epochs 1");
    scratch
        .run(&split(
            "tokenizer train data/train.csv --kind words --vocab-size 60 -o words",
        ))
        .succeeded();
    let other = "--init scratch --encoder lab --tokenizer words --max-steps 2";
    let run = distill(&scratch, "run", other).succeeded();
    assert!(run.stderr.contains("other tokenizers"), "{run}");
    let refused = distill(&scratch, "refused", &format!("{other} --cosine-weight 1"));
    refused.failed(2, &["token by token"]);
}

/// A teacher that reads less than its student says so.
#[test]
fn a_teacher_of_short_texts() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let words = "tokenizer train data/train.csv --kind words --vocab-size 60 -o words";
    scratch.run(&split(words)).succeeded();
    let encoder = "hidden_size = 24\nlayers = 1\nheads = 3\nfeed_forward_size = 40\nmax_length = ";
    scratch.write("short.toml", format!("{encoder}6\n"));
    scratch.write("long.toml", format!("{encoder}64\n"));
    let short = "train --init scratch --encoder short.toml --tokenizer words --dataset data --epochs 1 --output teacher";
    scratch.run(&split(short)).succeeded();
    let long = "--init scratch --encoder long.toml --max-steps 2";
    let run = distill(&scratch, "run", long).succeeded();
    assert!(run.stderr.contains("none truncated"), "{run}");
    assert!(
        run.stderr
            .contains("the teacher reads at most 6 tokens, to which it cuts"),
        "{run}"
    );
    let compared = format!("{long} --cosine-weight 1");
    let refused = distill(&scratch, "cosine", &compared);
    refused.failed(2, &["token by token", "--max-length 6"]);
    let cut = distill(&scratch, "cosine", &format!("{compared} --max-length 6")).succeeded();
    assert!(!cut.stderr.contains("the teacher reads"), "{cut}");
}

/// The same labels in another order are those of the teacher; others are refused.
#[test]
fn labels_are_matched_by_name() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    teacher(&scratch, "--epochs 2");
    let names = scratch.json("teacher/model/config.json")["id2label"].clone();
    let name = |index: &str| names[index].as_str().unwrap().to_string();
    let turned = format!("--labels {},{} --epochs 1", name("1"), name("0"));
    distill(&scratch, "turned", &turned).succeeded();
    let results = scratch.json("turned/results.json");
    let teachers = scratch.json("teacher/results.json");
    let accuracy = |results: &Value| results["test"]["accuracy"].clone();
    assert_eq!(accuracy(&results["teacher"]), accuracy(&teachers));

    scratch.write(
        "data/train.csv",
        "text,label\nfine,bad\nfilm,worse\n".to_string()
            + &"a film,bad\nthe film,worse\n".repeat(8),
    );
    fs::remove_file(scratch.path("data/validation.csv")).unwrap();
    fs::remove_file(scratch.path("data/test.csv")).unwrap();
    let refused = distill(&scratch, "refused", "");
    let words = [
        "cannot teach these labels",
        "bad",
        "worse",
        &name("0"),
        &name("1"),
    ];
    refused.failed(2, &words);
    assert!(!scratch.path("refused").exists());
}

#[test]
fn mistakes_are_named() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    // An encoder has no labels, rather than others.
    let tiny = fixtures::path("tiny_bert");
    let pretrain = "pretrain --dataset data --max-steps 1 --output encoder --model";
    let pretrain = [&split(pretrain)[..], &[tiny.to_str().unwrap()]].concat();
    scratch.run(&pretrain).succeeded();
    let none = "distill --dataset data --output refused --teacher encoder";
    let none = scratch.run(&split(none));
    none.failed(2, &["without a trained classifier"]);
    teacher(&scratch, "--epochs 1");
    for (options, words) in [
        ("--student-layers 3", "the teacher has 2 layers"),
        ("--student-layers 0", "expected 1 to 2"),
        ("--student-layers 0,2", "names layer 2"),
        ("--student-layers x", "is not a whole number"),
        ("--temperature 0", "temperature is 0"),
        ("--temperature 1e30", "expected a number from 0.01 to 1000"),
        (
            "--soft-weight 1e30",
            "expected 0, or a number from 0.000001 to 1000000",
        ),
        ("--soft-weight 0", "nothing would be learned"),
        ("--hard-weight=-1", "hard_weight is -1"),
        ("--strategy contrastive", "strategy contrastive"),
        (
            "--strategy head --cosine-weight 1",
            "strategy head trains nothing",
        ),
        ("--strategy features", "gradual, bitfit, lora or ia3"),
        ("--strategy auto", "gradual, bitfit, lora or ia3"),
        ("--strategy nothing", "gradual, bitfit, lora or ia3"),
        (
            "--soft-weight 0 --cosine-weight 1 --temperature 3",
            "since soft_weight is 0",
        ),
        (
            "--hard-weight 0 --class-weights balanced",
            "hard_weight is 0",
        ),
        ("--unfreeze-every 1", "--strategy gradual"),
        ("--revision main", "layers of the teacher"),
        ("--adapt-epochs 1", "not an option of `finetune distill`"),
        (
            "--model nowhere --student-layers 1",
            "leave one of them out",
        ),
        ("--unlabelled nowhere.txt", "nowhere.txt"),
    ] {
        distill(&scratch, "refused", options).failed(2, &[words]);
        assert!(!scratch.path("refused").exists(), "{options}");
    }
    let none = scratch.run(&["distill", "--dataset", "data"]);
    none.failed(2, &["--teacher"]);
    let other = scratch.run(&split("train --dataset data --temperature 3"));
    other.failed(2, &["finetune distill"]);
    // A model without a classifier has nothing to teach.
    let model = scratch.copy_model("masked_lm/bert");
    let encoder = scratch.run(&[
        "distill",
        "--dataset",
        "data",
        "--teacher",
        model.to_str().unwrap(),
    ]);
    encoder.failed(2, &[]);
}

/// What is said of a row is a class, several classes or numbers.
#[test]
fn every_task_has_teachers() {
    let scratch = Scratch::new();
    let mut csv = "text,toxic,insult,score\n".to_string();
    for (number, (text, class)) in samples::examples(80).iter().enumerate() {
        let insult = u8::from(number % 3 == 0);
        csv += &format!("\"{text}\",{class},{insult},{class}.{}\n", number % 5 + 1);
    }
    scratch.write("data/train.csv", csv);
    scratch.write("more.csv", "text\na good film\na dull story\n");
    for (name, labels) in [
        ("marks", "--label-column toxic,insult"),
        ("score", "--label-column score"),
        (
            "values",
            "--label-column score,toxic --problem-type regression",
        ),
    ] {
        let fixed = format!("--dataset data --max-steps 3 --learning-rate 2e-3 {labels}");
        let tiny = fixtures::path("tiny_bert");
        let tiny = tiny.to_str().unwrap();
        let train = format!("train --output {name} {fixed} --model");
        scratch
            .run(&[&split(&train)[..], &[tiny]].concat())
            .succeeded();
        let student = format!("distill --teacher {name} --output {name}-student {fixed}");
        let run = scratch
            .run(&split(&format!("{student} --unlabelled more.csv")))
            .succeeded();
        assert!(
            run.stdout
                .contains("validation rows by teacher and student"),
            "{run}"
        );
        assert!(run.stderr.contains("(2 without labels)"), "{run}");
        let results = scratch.json(&format!("{name}-student/results.json"));
        assert!(
            results["teacher"]["validation"]["loss"].is_number(),
            "{results}"
        );
    }
}

/// A student may itself be trained as an adapter, of the layers that it begins with.
#[test]
fn a_student_with_an_adapter() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    teacher(&scratch, "--epochs 1");
    distill(&scratch, "run", "--strategy lora --max-steps 3").succeeded();
    let predict = scratch.run(&["predict", "--model", "run", "a good film"]);
    predict.succeeded();
}

/// An adapter on its base model teaches as a whole model does.
#[test]
fn an_adapter_is_a_teacher() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    teacher(&scratch, "--strategy lora --epochs 1");
    let run = distill(&scratch, "run", "--epochs 1").succeeded();
    assert!(run.stderr.contains("layer 0 of teacher"), "{run}");
    let (results, teachers) = (
        scratch.json("run/results.json"),
        scratch.json("teacher/results.json"),
    );
    let accuracy = |results: &Value| results["test"]["accuracy"].clone();
    assert_eq!(accuracy(&results["teacher"]), accuracy(&teachers));
    let student = Classifier::load(scratch.path("run/model")).unwrap();
    assert_eq!(student.model().config().num_hidden_layers, 1);

    // What is advised for a base model that has been moved works.
    let config = scratch.json("teacher/model/adapter_config.json");
    let base = config["base_model_name_or_path"]
        .as_str()
        .unwrap()
        .to_string();
    let moved = config.to_string().replace(&base, "owner/moved");
    scratch.write("teacher/model/adapter_config.json", moved);
    let lost = distill(&scratch, "lost", "--epochs 1");
    let advice = "finetune merge teacher/model --model-base DIR -o MODEL";
    lost.failed(2, &["the teacher teacher", "owner/moved", advice]);
    let merge = advice.replace("DIR", &base).replace("MODEL", "merged");
    scratch
        .run(&split(merge.trim_start_matches("finetune ")))
        .succeeded();
    let merged = "distill --teacher merged --dataset data --epochs 1 --output again";
    scratch.run(&split(merged)).succeeded();
}

/// Taking layers leaves the rest of a model as it is.
#[test]
fn layers_of_a_model() {
    let device = devices().remove(0);
    let directory = fixtures::path("tiny_distilbert");
    let (model, _) = SequenceClassifier::load(&directory, None, 0, &device).unwrap();
    let tokens = Fixture::open("tiny_distilbert/case.safetensors").tokens("");
    let logits =
        |model: &SequenceClassifier| values(model.forward(&tokens, DropoutSource::OFF).unwrap());
    let all = model.clone().with_layers(&[0, 1]).unwrap();
    assert_eq!(logits(&all), logits(&model));
    let turned = model.clone().with_layers(&[1, 0]).unwrap();
    assert_ne!(logits(&turned), logits(&model));
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("student");
    turned.save(&saved, &directory).unwrap();
    let (loaded, report) = SequenceClassifier::load(&saved, None, 0, &device).unwrap();
    assert!(report.fresh.is_empty() && report.unexpected.is_empty());
    assert_eq!(logits(&loaded), logits(&turned));
    for layers in [&[][..], &[2]] {
        let error = model.clone().with_layers(layers).unwrap_err().to_string();
        assert!(error.contains("which has 2"), "{error}");
    }
}
