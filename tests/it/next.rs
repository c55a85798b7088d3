//! The commands printed under "Next" work as they stand and reproduce the run's own metrics.
#![cfg(unix)]

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::{
    command::{Run, Scratch, split},
    samples,
};

/// Runs a line in a shell, as a person would.
fn typed(scratch: &Scratch, line: &str) -> Run {
    let command = scratch.command(&[]);
    let mut shell = Command::new("bash");
    shell.args(["-c", line]);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let folder = command.get_current_dir().unwrap();
    let output = shell.current_dir(folder).stdin(Stdio::null()).output();
    Run::new(&[line], output.unwrap())
}

/// The lines under "Next".
fn lines(run: &Run) -> Vec<String> {
    let lines = run.stdout.lines().skip_while(|line| *line != "Next:");
    lines.skip(1).map(|line| line.trim().to_string()).collect()
}

/// The metrics of `found` are those of `expected`, bit for bit.
#[track_caller]
fn same_figures(found: &Value, expected: &Value, what: &str) {
    let expected = expected.as_object().unwrap();
    assert!(expected.len() > 3, "{what}");
    for (name, value) in expected {
        assert_eq!(&found[name], value, "{name} of {what}");
    }
}

/// Trains, types what is printed, and compares with what the run says of its `rows`.
#[track_caller]
pub fn repeats(scratch: &Scratch, arguments: &[&str], rows: &str) -> Run {
    let train = scratch.train(arguments).succeeded();
    let next = lines(&train);
    let results = scratch.json("run/results.json");
    assert_eq!(rows == "test", results.get("test").is_some(), "{train}");
    typed(scratch, &next[0]).succeeded();
    let evaluated = typed(scratch, &format!("{} --json", next[1])).succeeded();
    let found: Value = serde_json::from_str(&evaluated.stdout).unwrap();
    same_figures(&found, &results[rows], &next[1]);
    let flattered = evaluated.stderr.contains("overstate");
    assert!(!flattered, "{evaluated}");
    typed(scratch, &next[1]).succeeded();
    for line in &next[2..] {
        typed(scratch, line).succeeded();
    }
    evaluated
}

/// Rows with two texts, of which one says nothing, and two scores.
fn table(count: usize) -> String {
    let mut csv = "noise,clean,label,toxic,insult,score\n".to_string();
    for (number, (text, class)) in samples::examples(count).iter().enumerate() {
        let label = samples::CLASSES[*class];
        let insult = u8::from(number % 3 == 0);
        csv += &format!(
            "story {},\"{text}\",{label},{class},{insult},{}.5\n",
            number % 7,
            number % 5
        );
    }
    csv
}

#[test]
fn a_directory_with_splits() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    repeats(&scratch, &split("--dataset data --epochs 1"), "test");
}

/// What `tokenizer train` prints takes the same columns and rows, and asks for no labels where there are none.
#[test]
fn a_tokenizer() {
    let scratch = Scratch::new();
    let texts: Vec<_> = samples::examples(40)
        .into_iter()
        .map(|(text, _)| text.to_string())
        .collect();
    scratch.write("a b.txt", texts.join("\n"));
    let rows = texts.iter().enumerate();
    let rows = rows.map(|(number, text)| format!("{};{text};{}\n", number % 3, number % 2));
    let rows: String = rows.collect();
    scratch.write("foreign.csv", format!("stars;body;x\n{rows}"));
    scratch.write("labelled.csv", format!("stars;body;label\n;;0\n{rows}"));
    let columns = "--csv-delimiter ; --text-column body";
    for (number, (data, options, command)) in [
        ("a b.txt", "", "pretrain"),
        ("foreign.csv", columns, "pretrain"),
        (
            "labelled.csv",
            &format!("{columns} --skip-invalid"),
            "train",
        ),
        (
            "labelled.csv",
            &format!("{columns} --split train[1:30]"),
            "train",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let output = format!("t {number}");
        let fixed = ["tokenizer", "train", data, "--kind", "words", "-o", &output];
        let run = scratch
            .run(&[&fixed[..], &split(options)].concat())
            .succeeded();
        let next = lines(&run);
        assert_eq!(next.len(), 1, "{run}");
        assert!(next[0].contains(&format!(" {command} ")), "{run}");
        let is_cut = next[0].contains("--train-split 'train[1:30]'");
        assert_eq!(is_cut, options.contains("--split"), "{run}");
        let short = format!(
            "{} --max-steps 1 --max-length 8 --output run{number}",
            next[0]
        );
        typed(&scratch, &short).succeeded();
    }
}

/// Of one file the rows that were held out are evaluated, also where fewer were evaluated than held out.
#[test]
fn a_single_file() {
    for options in ["", "--validation-fraction 0.4 --eval-rows 20 --seed 7"] {
        let scratch = Scratch::new();
        samples::write(&scratch.path("it's mine.csv"), &samples::examples(150));
        let fixed = ["--dataset", "it's mine.csv", "--epochs", "1"];
        let run = repeats(
            &scratch,
            &[&fixed, &split(options)[..]].concat(),
            "validation",
        );
        assert!(run.stderr.contains("held out for validation"), "{run}");
    }
}

#[test]
fn columns_lengths_and_pairs() {
    for (options, kept) in [
        (
            "--text-column clean --max-length 7",
            json!({"text_column": ["clean"], "max_length": 7}),
        ),
        (
            "--text-column clean,noise --eval-batch-size 3",
            json!({"text_column": ["clean", "noise"], "eval_batch_size": 3}),
        ),
        (
            "--text-column clean --label-column score --precision bf16",
            json!({"label_column": ["score"], "precision": "bf16"}),
        ),
        (
            "--text-column clean --label-column toxic,insult",
            json!({"label_column": ["toxic", "insult"]}),
        ),
        (
            "--text-column clean --strategy lora --test-split train[80%:] --train-split train[:80%]",
            json!({"test_split": "train[80%:]", "train_split": "train[:80%]"}),
        ),
    ] {
        let scratch = Scratch::new();
        scratch.write("table.csv", table(120));
        let fixed = split("--dataset table.csv --epochs 1");
        let rows = if options.contains("--test-split") {
            "test"
        } else {
            "validation"
        };
        repeats(&scratch, &[&fixed[..], &split(options)].concat(), rows);
        let settings = scratch.json("run/model/finetune.json");
        for (key, value) in kept.as_object().unwrap() {
            assert_eq!(&settings[key], value, "{options}");
        }
    }
}

#[test]
fn lists_of_labels() {
    let scratch = Scratch::new();
    let lines = samples::examples(120).into_iter().enumerate();
    let lines = lines.map(|(number, (text, class))| {
        let also = (number % 3 == 0).then_some("odd");
        let labels: Vec<_> = [Some(samples::CLASSES[class]), also]
            .into_iter()
            .flatten()
            .collect();
        json!({"text": text, "labels": labels}).to_string() + "\n"
    });
    scratch.write(
        "data/train.jsonl",
        lines.clone().take(80).collect::<String>(),
    );
    scratch.write(
        "data/validation.jsonl",
        lines.clone().skip(80).collect::<String>(),
    );
    let options = split("--dataset data --epochs 1 --eval-rows 30");
    repeats(&scratch, &options, "validation");
    scratch.write("other.jsonl", lines.take(20).collect::<String>());
    let find = split("evaluate run --dataset other.jsonl --find-thresholds");
    scratch.refuses(&find, &["no validation split", "--split"]);
    scratch
        .run(&[&find[..], &["--split", "train"]].concat())
        .succeeded();
}

#[test]
fn options_from_a_file() {
    let scratch = Scratch::new();
    scratch.write("table.csv", table(120));
    scratch.write(
        "plan.toml",
        "dataset = \"table.csv\"\ntext_column = \"clean\"\nmax_length = 9\nepochs = 1\n\
         validation_split = \"train[90%:]\"\ntrain_split = \"train[:90%]\"\n",
    );
    repeats(&scratch, &["plan.toml"], "validation");
}

/// A model says so itself where it is evaluated on what it was trained on, whatever the file is called.
#[test]
fn rows_of_the_training_are_called_that() {
    let scratch = Scratch::new();
    let rows = samples::examples(150);
    samples::write(&scratch.path("rows.csv"), &rows);
    samples::write(&scratch.path("copy.csv"), &rows);
    samples::write(&scratch.path("other.csv"), &rows[..50]);
    scratch
        .train(&split("--dataset rows.csv --epochs 1 --train-rows 100"))
        .succeeded();
    let evaluate = |options: &str| {
        let fixed = split("evaluate --model run --json");
        scratch
            .run(&[&fixed[..], &split(options)].concat())
            .succeeded()
    };
    for data in ["rows.csv", "copy.csv"] {
        let all = evaluate(&format!("--dataset {data} --split train"));
        let words = "note: run/model was trained on 100 of these 150 rows";
        assert!(all.stderr.contains(words), "{all}");
        let held_out = evaluate(&format!("--dataset {data}"));
        assert_eq!(held_out.json()["rows"], 15);
        assert!(!held_out.stderr.contains("trained on"), "{held_out}");
    }
    let other = evaluate("--dataset other.csv");
    assert!(!other.stderr.contains("trained on"), "{other}");
    // Without a name it is what was trained on; the rows are the same.
    assert_eq!(evaluate("").json(), evaluate("--dataset rows.csv").json());

    // The file is another one now.
    samples::write(&scratch.path("rows.csv"), &rows[..140]);
    let changed = evaluate("--dataset rows.csv");
    assert!(
        changed.stderr.contains("rows.csv has changed since"),
        "{changed}"
    );
    assert_eq!(changed.json()["rows"], 140);
    let validation = split("evaluate run --dataset rows.csv --split validation");
    scratch.refuses(&validation, &["no split `validation`", "has changed since"]);
    scratch
        .run(&split("evaluate run --dataset rows.csv --split train"))
        .succeeded();
}

/// Whatever a model is made of a run, its settings go with it; flags win over them, and say so.
#[test]
fn settings_stay_with_the_model() {
    let scratch = Scratch::new();
    scratch.write("table.csv", table(60));
    let options =
        "--dataset table.csv --text-column clean --max-length 9 --max-steps 2 --strategy lora";
    scratch.train(&split(options)).succeeded();
    scratch
        .run(&split("merge run/model --output merged"))
        .succeeded();
    let settings = scratch.read("run/model/finetune.json");
    assert_eq!(scratch.read("merged/finetune.json"), settings);
    let checkpoint = "run/checkpoints/step-000002";
    assert_eq!(
        scratch.read(&format!("{checkpoint}/finetune.json")),
        settings
    );
    let long = "the film was very good , and the plot was slow and the acting cold";
    let logits = |options: &str| {
        let fixed = ["predict", "--json", long, "--model"];
        let run = scratch
            .run(&[&fixed[..], &split(options)].concat())
            .succeeded();
        (run.json()["logits"].clone(), run.stderr)
    };
    let (own, nothing) = logits("run/model");
    assert_eq!(nothing, "");
    // RUN is RUN/model.
    assert_eq!(logits("run").0, own);
    assert_eq!(logits(checkpoint).0, own);
    assert_eq!(logits("run --max-length 9").1, "");
    let (other, note) = logits("run --max-length 20");
    assert_ne!(other, own);
    assert_eq!(
        note,
        "note: --max-length is 20; the model was trained with 9\n"
    );
    let columns = "--model run --dataset table.csv --text-column noise";
    let run = scratch
        .run(&[&["evaluate"], &split(columns)[..]].concat())
        .succeeded();
    assert!(
        run.stderr
            .contains("text is read from noise; the model was trained on clean"),
        "{run}"
    );

    scratch.write(
        "run/model/finetune.json",
        "{\"format_version\": 1, \"max_length\": \"x\"}",
    );
    for line in ["predict --model run a", "evaluate run --dataset table.csv"] {
        scratch.refuses(
            &split(line),
            &[
                "run/model/finetune.json is damaged: max_length",
                "delete it",
            ],
        );
    }
}

/// A model of pairs takes pairs: typed, or of a file. A single text is refused, with a line that works.
#[test]
fn pairs_are_asked_for() {
    let scratch = Scratch::new();
    scratch.write("table.csv", table(60));
    let options =
        split("--dataset table.csv --text-column clean,noise --max-steps 2 --strategy lora");
    scratch.train(&options).succeeded();
    let merged = scratch.run(&split("merge run/model --output merged"));
    let next = lines(&merged.succeeded());
    assert!(next[0].contains("--pair"), "{next:?}");
    typed(&scratch, &next[0]).succeeded();
    let predict = ["predict", "--model", "run", "--json"];
    let single = scratch.run(&[&predict[..], &["good film", "it's bad"]].concat());
    single.refused(&["pairs of texts", "--pair"]);
    let advice = single.stderr.split_once("type both as ").unwrap().1;
    let advice = advice.split_once(", or").unwrap().0;
    let program = scratch
        .command(&[])
        .get_program()
        .to_str()
        .unwrap()
        .to_string();
    let run = typed(
        &scratch,
        &format!("{program} predict --model run --json {advice}"),
    );
    let typed = run.succeeded().json();
    assert_eq!(
        (&typed["text"], &typed["text_pair"]),
        (&json!("good film"), &json!("it's bad"))
    );
    scratch.write("pairs.csv", "clean,noise\ngood film,it's bad\n");
    let of_file = scratch.run(&[&predict[..], &["--file", "pairs.csv"]].concat());
    assert_eq!(of_file.succeeded().json(), typed);
    scratch.write("one.csv", "text\ngood film\n");
    scratch.write("one.txt", "good film\n");
    for file in ["one.csv", "one.txt"] {
        scratch.refuses(
            &[&predict[..], &["--file", file]].concat(),
            &["pairs of texts"],
        );
    }
    scratch
        .run_with_input(&predict, b"good film\n")
        .refused(&["pairs of texts", "--pair"]);
}

/// A run without a result is refused with what to do, and what it says works.
#[test]
fn a_run_without_a_result() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let options = split("--dataset data --max-steps 4 --save-steps 2 --eval-strategy no");
    scratch.train(&options).succeeded();
    std::fs::remove_dir_all(scratch.path("run/model")).unwrap();
    std::fs::remove_file(scratch.path("run/results.json")).unwrap();
    let predict = split("predict --model run a");
    let refused = scratch.run(&predict);
    refused.refused(&[
        "unfinished run without a result",
        "resume run",
        "run/checkpoints/step-000004",
    ]);
    scratch
        .run(&split("predict --model run/checkpoints/step-000004 a"))
        .succeeded();
    let resume = refused
        .stderr
        .lines()
        .find(|line| line.contains(" resume "));
    typed(&scratch, resume.unwrap()).succeeded();
    scratch.run(&predict).succeeded();
}

/// A training whose output nobody can take any more is a training all the same.
#[test]
fn output_that_cannot_be_written_ends_no_training() {
    let program = |scratch: &Scratch| {
        let program = scratch
            .command(&[])
            .get_program()
            .to_str()
            .unwrap()
            .to_string();
        let model = crate::fixtures::path("tiny_bert");
        format!(
            "{program} train --model {} --output run --dataset data --epochs 1",
            model.display()
        )
    };
    for redirected in [
        "2>&1 | head -1; exit ${PIPESTATUS[0]}",
        "2>&1 | true; exit ${PIPESTATUS[0]}",
        ">&- 2>&-",
        "> /dev/full 2> /dev/full",
        "--json > /dev/full",
    ] {
        let scratch = Scratch::new();
        samples::splits(&scratch, "csv");
        let run = typed(&scratch, &format!("{} {redirected}", program(&scratch)));
        assert_eq!(run.code, Some(0), "{redirected}: {run}");
        let results = scratch.json("run/results.json");
        assert_eq!(results["train"]["steps"], 10, "{redirected}");
        scratch.run(&split("predict --model run good")).succeeded();
        if redirected.contains("json") {
            assert!(
                run.stderr.contains("the results are in run/results.json"),
                "{run}"
            );
        }
    }
}
