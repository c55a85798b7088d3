//! `finetune pretrain`: from texts to a model that other commands open.
#![cfg(unix)]

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use crate::{
    command::{Run, Scratch, split},
    fixtures, samples,
};

fn pretrain(scratch: &Scratch, options: &str) -> Run {
    scratch.run(&arguments(options))
}

fn arguments(options: &str) -> Vec<&str> {
    static MODEL: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let model = MODEL.get_or_init(|| fixtures::path("tiny_bert").display().to_string());
    let mut arguments = vec!["pretrain", "--model", model];
    arguments.extend(split(options));
    arguments
}

/// `lines` lines of text.
fn text(lines: usize) -> String {
    let texts = samples::examples(lines).into_iter();
    texts.map(|(text, _)| text + "\n").collect()
}

#[test]
fn from_texts_to_a_classifier() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let run = pretrain(
        &scratch,
        "--dataset data --output run --epochs 4 --batch-tokens 200 --learning-rate 3e-3 \
         --masking words --mlm-probability 0.2 --max-length 16",
    )
    .succeeded();
    assert!(run.stderr.contains("160 texts in"), "{run}");
    assert!(run.stdout.contains("perplexity"), "{run}");
    let results = scratch.json("run/results.json");
    let loss = |which: &str| results[which]["loss"].as_f64().unwrap();
    assert!(loss("validation") < loss("before") - 0.2, "{results}");
    assert!(results["test"]["perplexity"].as_f64().unwrap() > 1.0);
    let config = scratch.json("run/model/config.json");
    assert_eq!(config["architectures"][0], "BertForMaskedLM");
    let plan = String::from_utf8(scratch.read("run/plan.toml")).unwrap();
    assert!(plan.contains("masking = \"words\""), "{plan}");
    // The encoder goes on under a new head.
    let options = "train --model run --dataset data --output tuned --epochs 2";
    let tuned = scratch.run(&split(options)).succeeded();
    assert!(tuned.stderr.contains("new weights"), "{tuned}");
    // A repetition has the same bits.
    scratch.run(&["replay", "run"]).succeeded();
}

#[test]
fn a_killed_run_resumes_to_the_same_bits() {
    let scratch = Scratch::new();
    scratch.write("texts.txt", text(120));
    let options = "--dataset texts.txt --max-steps 60 --batch-tokens 120 --save-steps 10 \
        --eval-steps 10 --gradient-accumulation-steps 2 --masking spans --max-length 16";
    pretrain(&scratch, &format!("{options} --output undisturbed")).succeeded();
    let options = format!("{options} --output run");
    let mut command = scratch.command(&arguments(&options));
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let saved = scratch.path("run/checkpoints/step-000020/manifest.json");
    let deadline = Instant::now() + Duration::from_secs(120);
    while !saved.exists() && Instant::now() < deadline && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    scratch.run(&["resume", "run"]).succeeded();
    let weights = |run: &str| scratch.read(&format!("{run}/model/model.safetensors"));
    assert!(weights("run") == weights("undisturbed"), "weights differ");
}

#[test]
fn text_files_are_read_by_line_or_by_document() {
    let scratch = Scratch::new();
    let lines = text(40);
    let grouped: String = lines
        .lines()
        .enumerate()
        .map(|(row, line)| match row % 4 {
            3 => format!("{line}\n\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    scratch.write("lines.txt", &lines);
    scratch.write("documents.txt", &grouped);
    for (number, (options, texts, note)) in [
        ("--dataset lines.txt", "36 texts", false),
        ("--dataset documents.txt", "9 texts", true),
        ("--dataset documents.txt --line-by-line", "45 texts", false),
    ]
    .into_iter()
    .enumerate()
    {
        let options = format!("{options} --max-steps 1 --max-length 32 --output run{number}");
        let run = pretrain(&scratch, &options).succeeded();
        assert!(run.stderr.contains(texts), "{run}");
        assert_eq!(
            run.stderr.contains("blank lines, such as line 5"),
            note,
            "{run}"
        );
    }
}

#[test]
fn what_cannot_be_learned_from_is_refused() {
    let scratch = Scratch::new();
    scratch.write("few.txt", "good film\nbad film\n");
    scratch.write("blank.csv", "text\n\"\"\n\"\"\n\"\"\n");
    scratch.write("texts.txt", text(60));
    scratch.refuses(
        &arguments("--dataset few.txt --max-length 32 --output run"),
        &["few.txt", "less than one window of 32", "--max-length"],
    );
    pretrain(&scratch, "--dataset few.txt --max-length 4 --output few").succeeded();
    scratch.refuses(
        &arguments("--dataset blank.csv --output run"),
        &["blank.csv", "are empty"],
    );
    for (options, words) in [
        ("--mlm-probability 0", &["mlm_probability", "0.15"][..]),
        ("--mlm-probability 1.5", &["mlm_probability"]),
        ("--label-column label", &["label_column", "finetune train"]),
        ("--strategy lora", &["strategy lora", "--strategy full"]),
        ("--strategy contrastive", &["--strategy full", "bitfit"]),
        ("--strategy features", &["--strategy full", "bitfit"]),
        ("--strategy auto", &["gradual or bitfit"]),
        ("--strategy last", &["expected one of", "gradual or bitfit"]),
        ("--unfreeze-every 1", &["--strategy gradual"]),
        ("--reset-head", &["reset_head"]),
        (
            "--strategy head --set feature_cache.disk_bytes=0",
            &["feature_cache has no effect"],
        ),
        ("--metric-for-best-model accuracy", &["loss, perplexity"]),
    ] {
        let options = format!("--dataset texts.txt --output run {options}");
        scratch.refuses(&arguments(&options), words);
    }
    scratch.write("rows.csv", samples::csv(&samples::examples(60)));
    scratch.refuses(
        &arguments("--dataset rows.csv --line-by-line --output run"),
        &["line_by_line is about text files", "rows.csv"],
    );
    scratch.refuses(
        &[
            "train",
            "--dataset",
            "texts.txt",
            "--mlm-probability",
            "0.2",
        ],
        &["mlm_probability", "finetune pretrain"],
    );
    // A tokenizer that cannot mask; that of a BERT always can.
    let model = scratch.copy_model("tiny_bert");
    scratch.write(
        "model/tokenizer_config.json",
        r#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#,
    );
    let tokenizer = std::fs::read_to_string(model.join("tokenizer.json")).unwrap();
    std::fs::write(
        model.join("tokenizer.json"),
        tokenizer.replace("[MASK]", "[CUT]"),
    )
    .unwrap();
    scratch.refuses(
        &[
            "pretrain",
            "--model",
            "model",
            "--dataset",
            "texts.txt",
            "--output",
            "run",
        ],
        &["model", "mask token"],
    );
}

#[test]
fn an_encoder_from_nothing() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    scratch.write(
        "encoder.toml",
        "hidden_size = 32\nlayers = 2\nheads = 2\nnorm = \"pre\"\npositions = \"sinusoidal\"\n",
    );
    let tokenizer = fixtures::path("tiny_bert").display().to_string();
    let pretrain = ["pretrain", "--init", "scratch", "--encoder", "encoder.toml"];
    let options = [
        "--tokenizer",
        &tokenizer,
        "--dataset",
        "data",
        "--output",
        "run",
    ];
    let options = [
        &pretrain[..],
        &options,
        &["--epochs", "16", "--max-length", "16"],
    ]
    .concat();
    scratch.run(&options).succeeded();
    let results = scratch.json("run/results.json");
    let loss = |which: &str| results[which]["loss"].as_f64().unwrap();
    assert!(loss("validation") < loss("before") - 0.2, "{results}");
    let config = scratch.json("run/model/config.json");
    assert_eq!(config["architectures"][0], "FinetuneForMaskedLM");
    let train = "train --model run --dataset data --output tuned --epochs 1";
    scratch.run(&split(train)).succeeded();
    scratch
        .run(&["fill-mask", "run", "a [MASK] film"])
        .succeeded();
}

/// Adapting and fine-tuning are one run: it resumes as one, and its repetition has the same bits.
#[test]
fn an_adapted_run_resumes_as_one() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    scratch.write("more.txt", text(60));
    let model = fixtures::path("tiny_bert").display().to_string();
    let options = "--dataset data --adapt-epochs 3 --unlabelled more.txt --adapt-learning-rate 3e-3 \
        --masking words --epochs 1 --batch-size 8";
    let train = |output: &'static str| {
        let mut arguments = vec!["train", "--model", &model, "--output", output];
        arguments.extend(split(options));
        arguments
    };
    let whole = scratch.run(&train("undisturbed")).succeeded();
    assert!(whole.stderr.contains("adapt   to 220 texts"), "{whole}");
    let results = scratch.json("undisturbed/adaptation/results.json");
    let loss = |which: &str| results[which]["loss"].as_f64().unwrap();
    assert!(loss("validation") < loss("before") - 0.2, "{results}");
    let weights = |run: &str| scratch.read(&format!("{run}/model/model.safetensors"));
    let plain = [
        "train",
        "--model",
        &model,
        "--dataset",
        "data",
        "--output",
        "plain",
    ];
    let plain = [&plain[..], &["--epochs", "1", "--batch-size", "8"]].concat();
    scratch.run(&plain).succeeded();
    assert!(
        weights("plain") != weights("undisturbed"),
        "nothing was adapted"
    );

    // Killed while it adapts, and resumed.
    let mut child = scratch
        .command(&train("run"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = scratch.path("run/adaptation/plan.toml");
    let deadline = Instant::now() + Duration::from_secs(120);
    while !begun.exists() && Instant::now() < deadline && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    scratch.run(&["resume", "run"]).succeeded();
    assert!(weights("run") == weights("undisturbed"), "weights differ");
    scratch.run(&["replay", "run"]).succeeded();
    scratch.refuses(
        &[
            "train",
            "--dataset",
            "data",
            "--adapt-epochs",
            "1",
            "--strategy",
            "lora",
        ],
        &["adapt_epochs", "finetune pretrain"],
    );
}

/// All splits of an unlabelled data set are read, each by its own columns: a directory, a glob, a file.
#[test]
fn all_unlabelled_splits_are_read() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let rows = samples::examples(60);
    // The test rows have no labels.
    let texts: String = rows[40..]
        .iter()
        .map(|(text, _)| format!("\"{text}\"\n"))
        .collect();
    scratch.write("more/train.csv", samples::csv(&rows[..30]));
    scratch.write("more/validation.csv", samples::csv(&rows[30..40]));
    scratch.write("more/test.csv", format!("text\n{texts}"));
    let model = fixtures::path("tiny_bert").display().to_string();
    for (number, (unlabelled, adapts_to, notes)) in [
        (
            "more",
            "adapt   to 220 texts",
            &["more: the texts of all its splits are read: train (30), validation (10), test (20)"]
                [..],
        ),
        ("more/*.csv", "adapt   to 220 texts", &["of all its splits"]),
        ("more/test.csv", "adapt   to 180 texts", &[]),
        (
            "data",
            "adapt   to 360 texts",
            &[
                "of all its splits",
                "40 of its rows are among those that this run evaluates",
            ],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let output = number.to_string();
        let line = format!(
            "train --model {model} --dataset data --adapt-epochs 0.1 --unlabelled {unlabelled} --max-steps 1 --output {output}"
        );
        let run = scratch.run(&split(&line)).succeeded();
        assert!(run.stderr.contains(adapts_to), "{run}");
        for note in notes {
            assert!(run.stderr.contains(note), "no {note:?} in {run}");
        }
        assert_eq!(
            run.stderr.contains("all its splits"),
            !notes.is_empty(),
            "{run}"
        );
    }
}

/// Until the run has a checkpoint of its own, it begins with the adapted model, which is compared with what
/// the adaptation saved, and restored; so are the texts compared of an adaptation that goes on.
#[test]
fn a_damaged_adaptation_is_restored() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    scratch.write("more.txt", text(30));
    let model = fixtures::path("tiny_bert").display().to_string();
    let line = format!(
        "train --model {model} --dataset data --adapt-epochs 1 --unlabelled more.txt --max-steps 2 --output run"
    );
    scratch.run(&split(&line)).succeeded();
    let trained = scratch.read("run/model/model.safetensors");
    // As if the session had been killed right after the adaptation.
    let begin_again = || {
        for gone in [
            "results.json",
            "manifest.json",
            "events.jsonl",
            "model",
            "checkpoints",
        ] {
            let gone = scratch.path("run").join(gone);
            let _ = std::fs::remove_dir_all(&gone);
            let _ = std::fs::remove_file(&gone);
        }
    };
    begin_again();
    let path = "run/adaptation/model/model.safetensors";
    let whole = scratch.read(path);
    let mut damaged = whole.clone();
    let last = damaged.len() - 2;
    damaged[last] ^= 1;
    scratch.write(path, &damaged);
    let run = scratch.run(&["resume", "run"]);
    let restored = [
        "adaptation/model/model.safetensors was not the file",
        "restored from",
    ];
    for words in restored {
        assert!(run.stderr.contains(words), "{run}");
    }
    run.succeeded();
    assert!(scratch.read(path) == whole);
    assert!(scratch.read("run/model/model.safetensors") == trained);
    begin_again();
    std::fs::remove_dir_all(scratch.path("run/adaptation/model")).unwrap();
    scratch.run(&["resume", "run"]).succeeded();
    assert!(scratch.read("run/model/model.safetensors") == trained);
    begin_again();
    scratch.write("more.txt", text(31));
    scratch.run(&["resume", "run"]).failed(
        2,
        &["texts of more.txt", "not those that the run began with"],
    );
    scratch.write("more.txt", text(30));
    // Where the checkpoint is damaged too, it is trained again, as the message says.
    scratch.write(path, &damaged);
    let checkpoints = std::fs::read_dir(scratch.path("run/adaptation/checkpoints")).unwrap();
    for checkpoint in checkpoints {
        let weights = checkpoint.unwrap().path().join("model.safetensors");
        if weights.exists() {
            std::fs::write(weights, &damaged).unwrap();
        }
    }
    scratch
        .run(&["resume", "run"])
        .failed(2, &["damaged too", "rm -r run/adaptation"]);
    std::fs::remove_dir_all(scratch.path("run/adaptation")).unwrap();
    scratch.run(&["resume", "run"]).succeeded();
    assert!(scratch.read("run/model/model.safetensors") == trained);
    begin_again();
    // Who has removed its checkpoints has nothing to compare with.
    std::fs::remove_dir_all(scratch.path("run/adaptation/checkpoints")).unwrap();
    scratch.run(&["resume", "run"]).succeeded();
}

/// An adaptation that is not finished is resumed by its run alone.
#[test]
fn an_adaptation_is_resumed_with_its_run() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let model = fixtures::path("tiny_bert").display().to_string();
    let line =
        format!("train --model {model} --dataset data --adapt-epochs 1 --max-steps 2 --output run");
    scratch.run(&split(&line)).succeeded();
    let complete = scratch.run(&["resume", "run/adaptation"]).succeeded();
    assert!(complete.stdout.contains("is complete"), "{complete}");
    let replay = scratch.run(&["replay", "run/adaptation"]);
    replay.failed(2, &["the adaptation of the run", "replay "]);
    std::fs::remove_file(scratch.path("run/adaptation/results.json")).unwrap();
    std::fs::remove_file(scratch.path("run/results.json")).unwrap();
    let refused = scratch.run(&["resume", "run/adaptation"]);
    refused.failed(
        2,
        &["run/adaptation is the adaptation of the run", "resume "],
    );
    let advice = refused.stderr.lines().last().unwrap();
    let run = advice.split_once("resume ").unwrap().1;
    scratch.run(&["resume", run]).succeeded();
}

/// Texts of which the tokenizer knows nothing are refused before anything is trained, wherever they are.
#[test]
fn texts_without_anything_to_mask_are_refused() {
    let scratch = Scratch::new();
    let unknown = "ξξξ ψψψ ωωω\n".repeat(30);
    scratch.write("unknown.txt", &unknown);
    scratch.write("texts/train.txt", text(60));
    scratch.write("texts/validation.txt", &unknown);
    let options = "--max-steps 1 --max-length 8 --output run";
    scratch.refuses(
        &arguments(&format!("--dataset unknown.txt {options}")),
        &["training texts of", "unknown.txt", "can be masked"],
    );
    scratch.refuses(
        &arguments(&format!("--dataset texts {options}")),
        &["validation texts of", "validation.txt", "can be masked"],
    );
    let rows = "ξξξ ψψψ,a\nωωω,b\n".repeat(20);
    scratch.write("rows.csv", format!("text,label\n{rows}"));
    let model = fixtures::path("tiny_bert").display().to_string();
    let line = format!("train --model {model} --dataset rows.csv --adapt-epochs 1 --output run");
    scratch.refuses(&split(&line), &["training texts of", "rows.csv"]);
    let line = format!("train --model {model} --dataset rows.csv --max-steps 1 --output plain");
    scratch.run(&split(&line)).succeeded();
}
