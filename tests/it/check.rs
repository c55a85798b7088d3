//! `finetune check`, on files as people have them.

use serde_json::Value;

use crate::{
    command::{Scratch, argument},
    fixtures,
};

const TRAIN: &str = "text,label\na good film,pos\nbad acting and a worse plot,neg\nA good  film,pos\n\"caf\u{c3}\u{a9} <br /> life\",neg\n,pos\nno label here,\n";
const TEST: &str = "text,label\na good film,pos\nanother one that is bad,neg\n";

fn leaking() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("data/train.csv", TRAIN);
    scratch.write("data/test.csv", TEST);
    scratch
}

fn finding<'a>(report: &'a Value, name: &str) -> &'a Value {
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {report:#}"))
}

#[test]
fn leaks_are_an_exit_code_a_table_and_json() {
    let scratch = leaking();
    let table = scratch.run(&["check", "data"]);
    assert_eq!(table.code, Some(1), "{table}");
    for words in [
        "data      data: train 4 rows, test 2 rows\n",
        "error     exact-leaks: 1 of 6",
        "- test: data/test.csv, row 0 (line 2)",
        "like train: data/train.csv, row 0 (line 2)",
        "normalised-duplicates",
        "mojibake",
        "html-tags",
        "--skip-invalid",
        "no tokenizer; name a model with --model",
    ] {
        assert!(table.stdout.contains(words), "{words}: {table}");
    }
    let json = scratch.run(&["check", "--dataset", "data", "--json"]);
    assert_eq!(json.code, Some(1), "{json}");
    let report: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(report["has_leaks"], true);
    assert_eq!(finding(&report, "incomplete-rows")["count"], 2);
    assert_eq!(
        finding(&report, "exact-leaks")["examples"][0]["row"]["line"],
        2
    );
    let again = scratch.run(&["check", "data", "--json"]);
    assert_eq!(again.stdout, json.stdout);
}

#[test]
fn clean_data_are_written_whole_and_trained_on() {
    let scratch = leaking();
    let flags = ["--write-clean", "out/clean", "--html", "out/page.html"];
    let run = scratch.run(&[&["check", "data"], &flags[..]].concat());
    assert_eq!(run.code, Some(1), "{run}");
    assert!(
        run.stdout
            .contains("train 2 rows (2 removed), test 2 rows (0 removed)"),
        "{run}"
    );
    let log = scratch.read("out/clean/removed.log");
    assert_eq!(String::from_utf8(log).unwrap().lines().count(), 2);
    let page = String::from_utf8(scratch.read("out/page.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("&lt;br /&gt;"));
    let again = scratch.run(&["check", "out/clean"]).succeeded();
    assert!(!again.stdout.contains("leaks:"), "{again}");
    scratch.refuses(
        &["check", "data", "--write-clean", "out/clean"],
        &["already exists", "--write-clean"],
    );
    scratch.refuses(
        &["check", "data", "--html", "data/train.csv"],
        &["already exists", "--html"],
    );
}

#[test]
fn a_model_counts_the_tokens() {
    let scratch = leaking();
    let model = fixtures::path("tiny_bert");
    let json = scratch.run(&[
        "check",
        "data",
        "--model",
        argument(&model),
        "--max-length",
        "4",
        "--json",
    ]);
    let report: Value = serde_json::from_str(&json.stdout).unwrap();
    assert!(
        finding(&report, "truncation")["count"].as_u64().unwrap() >= 3,
        "{json}"
    );
    let flags = report["suggestions"].as_array().unwrap().iter();
    let flags: Vec<_> = flags
        .map(|one| one["flag"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        flags.iter().any(|flag| flag.starts_with("--max-length")),
        "{flags:?}"
    );
    assert!(
        flags.iter().any(|flag| flag.starts_with("--strategy")),
        "{flags:?}"
    );
}

/// The flags that are suggested are those of `train`.
#[test]
fn what_is_suggested_can_be_typed() {
    let scratch = Scratch::new();
    let row = |row: usize| {
        format!(
            "film number {row} is {},{}\n",
            row % 7,
            ["a", "b"][usize::from(row.is_multiple_of(5))]
        )
    };
    let rows: String = (0..60).map(row).collect();
    scratch.write("data.csv", format!("text,label\n{rows},a\n"));
    let model = fixtures::path("tiny_bert");
    let json = scratch
        .run(&["check", "data.csv", "--model", argument(&model), "--json"])
        .succeeded();
    let report: Value = serde_json::from_str(&json.stdout).unwrap();
    let suggestions = report["suggestions"].as_array().unwrap();
    let flags: Vec<&str> = suggestions
        .iter()
        .flat_map(|one| one["flag"].as_str().unwrap().split(' '))
        .collect();
    assert!(
        flags.contains(&"--skip-invalid") && flags.contains(&"--batch-size"),
        "{flags:?}"
    );
    let train = ["--dataset", "data.csv", "--max-steps", "1"];
    scratch.train(&[&train, &flags[..]].concat()).succeeded();
}

#[test]
fn texts_alone_are_checked_too() {
    let scratch = Scratch::new();
    scratch.write(
        "a.txt",
        "one text of some words in a line\none text of some words in a line\nother\n",
    );
    let run = scratch.run(&["check", "a.txt"]).succeeded();
    assert!(run.stdout.contains("exact-duplicates: 1 of 3"), "{run}");
    assert!(run.stderr.contains("only its texts are checked"), "{run}");
    assert!(run.stdout.contains("labels: there are none"), "{run}");
}

#[test]
fn labels_are_named_as_the_message_says() {
    let scratch = Scratch::new();
    let rows: String = (0..20)
        .map(|row| format!("text of number {row},{}\n", 1 + row % 2))
        .collect();
    scratch.write("data.csv", format!("text,label\n{rows}"));
    scratch.refuses(&["check", "data.csv"], &["list them: --labels 1,2"]);
    scratch
        .run(&["check", "data.csv", "--labels", "1,2"])
        .succeeded();
}

#[test]
fn identifiers_are_told_from_texts() {
    let scratch = Scratch::new();
    let row = |row: usize| format!("tt{row:07},words of number {row},{}\n", ["a", "b"][row % 2]);
    let rows: String = (0..40).map(row).collect();
    scratch.write("data.csv", format!("text,review,label\n{rows}"));
    let run = scratch.run(&["check", "data.csv"]).succeeded();
    assert!(
        run.stdout
            .contains("name another column with --text-column"),
        "{run}"
    );
    let run = scratch
        .run(&["check", "data.csv", "--text-column", "review"])
        .succeeded();
    assert!(!run.stdout.contains("identifiers-as-text"), "{run}");
}

#[test]
fn bad_input_is_refused() {
    let scratch = leaking();
    scratch.write("numbers.csv", "a,b\n1,2\n");
    scratch.write("empty/train.csv", "text,label\n");
    scratch.write("void.csv", "text,label\n,a\n,b\n");
    scratch.write("other/readme.md", "nothing");
    scratch.write("short.csv", "pos,neg\n0.5,0.5\n");
    scratch.write("sums.csv", "pos,neg\n0.5,0.1\n");
    for (arguments, words) in [
        (&["check", "numbers.csv"][..], &["text"][..]),
        (&["check", "empty"], &["0 rows"]),
        (&["check", "void.csv"], &["no row has a text and a label"]),
        (&["check", "other"], &["no data file here"]),
        (&["check", "missing"], &["missing"]),
        (&["check", ""], &["it is empty"]),
        (
            &["check", "data", "--similarity", "0.2"],
            &["0.2", "0.5 to 1"],
        ),
        (&["check", "data", "--max-length", "64"], &["--model"]),
        (
            &[
                "check",
                "data",
                "--remove",
                "everything",
                "--write-clean",
                "x",
            ],
            &["exact-leaks"],
        ),
        (
            &["check", "data", "--probabilities", "short.csv"],
            &["1 rows", "4 to train, 6 to test"],
        ),
        (
            &["check", "data", "--probabilities", "sums.csv"],
            &["row 0 (line 2)", "sum is 1"],
        ),
        (
            &["check", "data", "--probabilities", "data/test.csv"],
            &["no column `neg`"],
        ),
    ] {
        scratch.refuses(arguments, words);
    }
}

#[test]
fn a_full_disk_leaves_nothing() {
    let scratch = leaking();
    let before = scratch.entries();
    let line = format!(
        "ulimit -f 0; trap '' XFSZ; exec {} check data --write-clean out",
        scratch.command(&[]).get_program().to_string_lossy()
    );
    let mut shell = std::process::Command::new("bash");
    shell.args(["-c", &line]).current_dir(scratch.path(""));
    shell
        .env("HF_HOME", scratch.path("huggingface"))
        .env("HF_HUB_OFFLINE", "1");
    let run = crate::command::Run::new(&["check", "with a full disk"], shell.output().unwrap());
    run.failed(1, &["error: ", "File too large"]);
    scratch.unchanged_since(&before);
}
