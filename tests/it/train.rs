//! `finetune train` on a tiny model.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    command::{Scratch, argument, split},
    fixtures, samples,
};

/// Parameters of `tiny_bert` with two classes: one output less than its own three.
fn parameters() -> u64 {
    let manifest = fixtures::manifest();
    manifest["models"]["tiny_bert"]["parameters"]
        .as_u64()
        .unwrap()
        - 33
}

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

fn plan(scratch: &Scratch) -> toml::Table {
    String::from_utf8(scratch.read("run/plan.toml"))
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn every_format_gives_the_same_run() {
    let results = ["csv", "jsonl", "parquet"].map(|extension| {
        let scratch = Scratch::new();
        samples::splits(&scratch, extension);
        let run = scratch
            .train(&split("--dataset data --epochs 2 --json"))
            .succeeded();
        let mut results = run.json();

        assert_eq!(
            keys(&results),
            [
                "train",
                "before",
                "validation",
                "best_step",
                "test",
                "peak_memory_bytes",
                "parameters",
                "output"
            ]
        );
        assert_eq!(
            keys(&results["train"]),
            [
                "loss",
                "seconds",
                "product_seconds",
                "samples_per_second",
                "steps",
                "stopped"
            ]
        );
        assert_eq!(results["train"]["steps"], 20);
        assert!(results["train"]["samples_per_second"].as_f64().unwrap() > 0.0);
        assert_eq!(results["validation"]["rows"], 20);
        assert_eq!(results["test"]["rows"], 20);
        assert_eq!(
            results["parameters"],
            json!({"total": parameters(), "trainable": parameters()})
        );
        if cfg!(target_os = "linux") {
            assert!(results["peak_memory_bytes"].as_u64().unwrap() > 1 << 20);
        }
        assert_eq!(results["output"], "run");
        assert_eq!(scratch.json("run/results.json"), results);

        let events = scratch.json_lines("run/events.jsonl");
        let kinds = |kind: &str| events.iter().filter(|event| event["event"] == kind).count();
        assert_eq!(events[0]["event"], "started");
        assert_eq!(
            (kinds("started"), kinds("step"), kinds("evaluated")),
            (1, 20, 4)
        );
        // The result is evaluated on the test rows when training is over.
        let [.., finished, tested] = events.as_slice() else {
            panic!("{events:?}");
        };
        assert_eq!(finished["event"], "finished");
        assert_eq!(tested["split"], "test");
        assert_eq!(
            plan(&scratch)["labels"],
            toml::Value::from(samples::CLASSES.to_vec())
        );
        let config = scratch.json("run/model/config.json");
        assert_eq!(
            config["id2label"],
            json!({"0": "negative", "1": "positive"})
        );
        assert_eq!(
            config["architectures"],
            json!(["BertForSequenceClassification"])
        );
        for name in ["model.safetensors", "tokenizer.json"] {
            assert!(scratch.path("run/model").join(name).exists(), "{name}");
        }

        for volatile in ["seconds", "product_seconds", "samples_per_second"] {
            results["train"][volatile].take();
        }
        results["peak_memory_bytes"].take();
        results
    });
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
}

/// What `train` reads first is what a terminal shows last.
#[test]
fn prints_a_report_and_what_to_type_next() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let run = scratch
        .train(&["--dataset", "data", "--epochs", "1"])
        .succeeded();
    for words in [
        "test    loss",
        "precision    recall",
        "saved   run",
        "predict --model run",
        "evaluate --model run",
    ] {
        assert!(run.stdout.contains(words), "no {words:?} in: {run}");
    }
    for words in [
        "new weights: classifier.weight",
        "train   10 steps",
        "best so far",
    ] {
        assert!(run.stderr.contains(words), "no {words:?} in: {run}");
    }
}

#[test]
fn without_validation_rows_it_takes_a_share_of_the_training_rows() {
    let scratch = Scratch::new();
    samples::write(&scratch.path("reviews.csv"), &samples::examples(200));
    let run = scratch
        .train(&split(
            "--dataset reviews.csv --validation-fraction 0.2 --max-steps 3 --json",
        ))
        .succeeded();
    let results = run.json();
    assert_eq!(results["validation"]["rows"], 40);
    assert_eq!(results.get("test"), None);
    assert_eq!(results["train"]["steps"], 3);
    let events = scratch.json_lines("run/events.jsonl");
    assert_eq!(events[0]["train_rows"], 160);
    // Class by class.
    let support = &results["validation"]["per_class"];
    for class in samples::CLASSES {
        assert_eq!(support[class]["support"], 20, "{support}");
    }
}

#[test]
fn rows_and_splits_can_be_chosen() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "parquet");
    let arguments = [
        "--dataset",
        "data",
        "--train-split",
        "train[:50%]",
        "--train-rows",
        "64",
        "--validation-split",
        "train[50%:]",
        "--eval-rows",
        "10",
        "--test-split",
        "",
        "--batch-size",
        "8",
        "--epochs",
        "1",
        "--json",
    ];
    let results = scratch.train(&arguments).succeeded().json();
    assert_eq!(results["train"]["steps"], 8);
    assert_eq!(results["validation"]["rows"], 10);
    assert_eq!(results.get("test"), None);
}

/// Options of a file, with the flags over them; then without a flag for `--output`.
#[test]
fn flags_win_over_the_configuration_file() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let model = fixtures::path("tiny_bert");
    let config = format!(
        "model = {:?}\ndataset = \"data\"\nmax_steps = 2\nbatch_size = 8\nlearning_rate = 1e-3\n\
         text_column = \"text\"\nlabels = [\"positive\", \"negative\"]\noutput = \"from-file\"\n",
        argument(&model)
    );
    scratch.write("run.toml", config);
    scratch
        .run(&split("train run.toml --batch-size 4 --output run"))
        .succeeded();
    assert!(!scratch.path("from-file").exists());
    let plan = plan(&scratch);
    assert_eq!(plan["batch_size"], 4.into());
    assert_eq!(plan["max_steps"], 2.into());
    assert_eq!(plan["learning_rate"], 1e-3.into());
    assert_eq!(
        plan["labels"],
        toml::Value::from(vec!["positive", "negative"])
    );
    scratch.run(&["train", "run.toml"]).succeeded();
    assert!(scratch.path("from-file/model/config.json").exists());
}

#[test]
fn runs_without_a_name_are_numbered() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let model = fixtures::path("tiny_bert");
    let arguments = [
        "train",
        "--model",
        argument(&model),
        "--dataset",
        "data",
        "--max-steps",
        "1",
    ];
    scratch.run(&arguments).succeeded();
    scratch.run(&arguments).succeeded();
    assert!(scratch.path("runs/data-1/model").exists());
    assert!(scratch.path("runs/data-2/model").exists());
}

#[test]
fn pairs() {
    let scratch = Scratch::new();
    // The second text decides.
    let lines = samples::examples(120)
        .into_iter()
        .zip(samples::examples(150).split_off(30));
    let lines = lines.map(|((first, _), (second, class))| {
        json!({"sentence1": first, "sentence2": second, "label": class}).to_string() + "\n"
    });
    scratch.write("pairs.jsonl", lines.collect::<String>());
    scratch
        .train(&["--dataset", "pairs.jsonl", "--epochs", "1"])
        .succeeded();
    assert_eq!(
        plan(&scratch)["text_column"],
        toml::Value::from(vec!["sentence1", "sentence2"])
    );

    let arguments = split("predict --model run/model --file pairs.jsonl --json");
    let predictions = scratch.run(&arguments).succeeded().json_lines();
    assert_eq!(predictions.len(), 120);
    assert_eq!(predictions[0]["text_pair"], samples::examples(31)[30].0);
    assert_eq!(keys(&predictions[0]["probabilities"]), ["0", "1"]);
}

#[test]
fn regression() {
    for (labels, arguments) in [
        (["-0.5", "1.5"], &[][..]),
        (["1", "4"], &["--problem-type", "regression"]),
    ] {
        let scratch = Scratch::new();
        let rows = samples::examples(200).into_iter();
        let rows = rows.map(|(text, class)| format!("\"{text}\",{}\n", labels[class]));
        scratch.write(
            "rated.csv",
            rows.fold("text,label\n".into(), |all: String, row| all + &row),
        );
        let fixed = split(
            "--dataset rated.csv --test-split train[:50] --learning-rate 3e-3 --epochs 20 --json",
        );
        let results = scratch
            .train(&[&fixed[..], arguments].concat())
            .succeeded()
            .json();
        // The labels' variance is what a constant would leave: 1 and 2.25.
        let test = &results["test"];
        let variance = if arguments.is_empty() { 1.0 } else { 2.25 };
        assert!(test["mse"].as_f64().unwrap() < 0.3 * variance, "{test}");
        assert!(test["mae"].as_f64().unwrap() > 0.0, "{test}");
        assert_eq!(
            scratch.json("run/model/config.json")["problem_type"],
            "regression"
        );

        let examples = samples::examples(20);
        let mut arguments = split("predict --model run/model --json");
        arguments.extend(examples.iter().map(|(text, _)| text.as_str()));
        let predictions = scratch.run(&arguments).succeeded().json_lines();
        let mean = |class: usize| {
            let rows = examples.iter().zip(&predictions);
            let of_class = rows.filter(|((_, found), _)| *found == class);
            let values: Vec<_> = of_class
                .map(|(_, row)| row["prediction"].as_f64().unwrap())
                .collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        assert!(mean(1) > mean(0), "{predictions:?}");
        assert_eq!(keys(&predictions[0]), ["text", "prediction", "logits"]);
    }
}

/// Two hundred sentences and a random little model: after a second of training it knows the words.
#[test]
fn learns() {
    for model in ["tiny_bert", "tiny_distilbert"] {
        let scratch = Scratch::new();
        samples::splits(&scratch, "parquet");
        // Dropout, which the fixtures have switched off for parity, must not keep it from learning.
        let directory = scratch.copy_model(model);
        let config = fs::read_to_string(directory.join("config.json")).unwrap();
        let config = config.replace("_dropout_prob\": 0.0", "_dropout_prob\": 0.1");
        let config = config.replace("dropout\": 0.0", "dropout\": 0.1");
        fs::write(directory.join("config.json"), config).unwrap();
        let arguments = split(
            "train --model model --dataset data --learning-rate 3e-3 --epochs 20 --output run --json",
        );
        let results = scratch.run(&arguments).succeeded().json();
        let accuracy = results["test"]["accuracy"].as_f64().unwrap();
        assert!(accuracy >= 0.8, "{model}: {accuracy}");
    }
}

/// A classifier's own head is kept when the classes are the same, and training goes on from it.
#[test]
fn trains_on_from_a_trained_model() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let first = split("--dataset data --learning-rate 3e-3 --epochs 6 --json");
    scratch.train(&first).succeeded();
    let second = split(
        "train --model run/model --dataset data --learning-rate 1e-9 --max-steps 1 --output again --json",
    );
    let again = scratch.run(&second).succeeded();
    assert!(!again.stderr.contains("new weights"), "{again}");
    assert_eq!(
        again.json()["test"]["confusion_matrix"],
        scratch.json("run/results.json")["test"]["confusion_matrix"]
    );
}

/// Without what a clock measures.
fn timeless(mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.retain(|key, _| !key.ends_with("seconds") && key != "samples_per_second");
    }
    value
}

/// The same command gives the same bits, with dropout, a fresh head and shuffled rows; another seed
/// gives others.
#[test]
fn the_same_command_gives_the_same_bits() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let directory = scratch.copy_model("tiny_bert");
    let config = fs::read_to_string(directory.join("config.json")).unwrap();
    let config = config.replace("_prob\": 0.0", "_prob\": 0.1");
    assert!(config.contains("_prob\": 0.1"));
    fs::write(directory.join("config.json"), config).unwrap();
    let run = |output: &str, seed: &str| {
        let arguments = [
            "train",
            "--model",
            "model",
            "--dataset",
            "data",
            "--train-rows",
            "100",
            "--length-buckets",
            "2",
            "--epochs",
            "2",
            "--seed",
            seed,
            "--output",
            output,
        ];
        scratch.run(&arguments).succeeded();
        let events = scratch.json_lines(&format!("{output}/events.jsonl"));
        let events: Vec<_> = events.into_iter().map(timeless).collect();
        let model = Path::new(output).join("model/model.safetensors");
        (scratch.read(argument(&model)), events)
    };
    let (first, again, other) = (run("first", "1"), run("again", "1"), run("other", "2"));
    assert!(first.0 == again.0, "the weights differ");
    assert_eq!(first.1, again.1);
    assert!(first.0 != other.0, "the seed changes nothing");
    assert_ne!(first.1, other.1);
}

/// Not the user's mistake, strictly, but not a model either.
#[test]
fn a_run_that_diverges_says_so() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let run = scratch.train(&split(
        "--dataset data --learning-rate 1e30 --warmup-ratio 0",
    ));
    run.failed(
        1,
        &[
            "step 2: the loss is",
            "lower --learning-rate",
            "train.csv, row",
        ],
    );
}

/// The untouched model beside the trained one; without training its raw predictions.
#[test]
fn before_and_after() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let run = scratch
        .train(&split("--dataset data --learning-rate 3e-3 --epochs 6"))
        .succeeded();
    let results = scratch.json("run/results.json");
    let lines: Vec<_> = run.stdout.lines().collect();
    for (title, key) in [
        ("accuracy", "accuracy"),
        ("F1 macro", "f1_macro"),
        ("loss", "loss"),
        ("average confidence", "confidence"),
    ] {
        let line = lines.iter().find(|line| line.starts_with(title));
        let line = line.unwrap_or_else(|| panic!("no {title:?} in: {run}"));
        let value = |side: &str| results[side][key].as_f64().unwrap();
        let (before, after) = (value("before"), value("validation"));
        for number in [
            format!("{before:.4}"),
            format!("{after:.4}"),
            format!("{:+.4}", after - before),
        ] {
            assert!(line.contains(&number), "no {number} in {line:?}");
        }
    }
    let features = split("--dataset data --strategy features --seed 3");
    let model = fixtures::path("tiny_bert");
    let fixed = ["train", "--model", argument(&model), "--output", "raw"];
    let run = scratch.run(&[&fixed, &features[..]].concat()).succeeded();
    assert!(
        run.stdout
            .contains("predictions of the untrained model for the first validation rows"),
        "{run}"
    );
    let (first, _) = &samples::examples(200)[160];
    let row = run
        .stdout
        .lines()
        .find(|line| line.starts_with(first.as_str()));
    assert!(
        row.is_some_and(|row| samples::CLASSES.iter().any(|class| row.contains(class))),
        "{run}"
    );
}
