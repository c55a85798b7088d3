//! Situations from public bug reports: files as other programs leave them, and the expected outcome
//! for each.

use std::{fs, path::Path};

use crate::command::{Scratch, split};

enum Right {
    /// These classes, and notes with these words.
    Reads(&'static [&'static str], &'static [&'static str]),
    /// A message with these words, exit code 2.
    Refuses(&'static [&'static str]),
}
use Right::{Reads, Refuses};

/// Files by name, options, what is right.
type Report = (Vec<(&'static str, String)>, &'static str, Right);

const NAMES: &[&str] = &["negative", "positive"];

/// A table of 64 rows with a header: each row made of its number and class.
fn table(header: &str, row: impl Fn(usize, usize) -> String) -> String {
    let rows = (0..64).map(|number| row(number, number % 2) + "\n");
    format!("{header}\n{}", rows.collect::<String>())
}

fn plain() -> String {
    table("text,label", |i, class| {
        format!("film {i},{}", NAMES[class])
    })
}

fn labels(label: impl Fn(usize, usize) -> String) -> String {
    table("text,label", |i, class| {
        format!("film {i},{}", label(i, class))
    })
}

#[rustfmt::skip]
fn reports() -> Vec<Report> {
    let one = |content: String| vec![("train.csv", content)];
    let beside = |name, content: String| vec![("train.csv", plain()), (name, content)];
    let unlabelled = table("id,text", |i, _| format!("{i},film {i}"));
    vec![
        // Files put together with their headers.
        (one(plain() + &plain()), "", Refuses(&["train.csv, line 66: row 64 is the header once more (text, label)"])),
        // Excel's first line, and its numbers in other countries.
        (one(format!("sep=;\n{}", plain().replace(',', ";"))), "", Reads(NAMES, &["Excel", "';'"])),
        (one(labels(|i, _| format!("\"{},5\"", i % 4))), "", Refuses(&["row 0 (line 2): label \"0,5\"", "1.5", "--problem-type classification", "--label-separator ','"])),
        (one(labels(|i, _| format!("\"{},5\"", i % 2))), "--problem-type classification", Reads(&["0,5", "1,5"], &[])),
        (one(labels(|i, _| format!("\"{},5\"", i % 2))), "--label-separator , --labels 0,1,5", Reads(&["0", "1", "5"], &[])),
        (one(labels(|i, _| format!("\"{},5\"", i % 4))), "--problem-type regression", Refuses(&[",5\" in column `label`", "without a comma, as 1.5 or 1000"])),
        (one(labels(|i, _| if i == 3 { "50%".into() } else { i.to_string() })), "--problem-type regression", Refuses(&["\"50%\"", "or nothing and add --skip-invalid"])),
        (one(labels(|i, _| if i == 3 { String::new() } else { i.to_string() })), "--problem-type regression --skip-invalid", Reads(&["label"], &["1 row was left out"])),
        // Something else under the name.
        (one("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n".into()), "", Refuses(&["train.csv", "git lfs pull"])),
        (vec![("train.parquet", "version https://git-lfs.github.com/spec/v1\n".into())], "", Refuses(&["train.parquet", "git lfs pull"])),
        (vec![("train.parquet", plain())], "", Refuses(&["train.parquet", "ends in .csv"])),
        (vec![("train.arrow", plain())], "", Refuses(&["train.arrow", "ends in .csv"])),
        (one("PAR1\u{15}\u{4}\n".into()), "", Refuses(&["it is a Parquet file", ".parquet"])),
        (one("<!DOCTYPE html><html>\nlog in, please\n".into()), "", Refuses(&["web page"])),
        // Lists as pandas writes them.
        (one(labels(|_, class| ["['a']", "\"['a', 'b']\""][class].into())), "", Reads(&["a", "b"], &[])),
        (one(labels(|_, class| ["[]", "\"['it\\'s', \"\"b\"\"]\""][class].into())), "", Reads(&["b", "it's"], &[])),
        // None of Python among names.
        (one(labels(|i, class| if i < 3 { "None".into() } else { NAMES[class].into() })), "", Reads(&["None", "negative", "positive"], &["label \"None\"", "taken for a class of its own"])),
        // Identifiers in place of labels.
        (one(labels(|i, _| (1_000 + i).to_string())), "", Refuses(&["64 different integers", "is this the label column?"])),
        // A test set of a competition, and files that nobody asked for.
        (beside("test.csv", unlabelled.clone()), "", Reads(NAMES, &["test split test is not used", "test.csv has no column `label`, only id, text"])),
        (beside("test.csv", unlabelled.clone()), "--test-split test", Refuses(&["has no column `label`", "--test-split \"\""])),
        (beside("test.csv", unlabelled.clone()), "--test-split ''", Reads(NAMES, &[])),
        (beside("dev.csv", unlabelled), "", Reads(NAMES, &["validation split validation is not used"])),
        (beside("test.csv", plain().replace("text,label", "text,Label")), "", Refuses(&["test.csv", "no column `label`", "\"Label\""])),
        (beside("validate.csv", plain()), "", Reads(NAMES, &["also has validate", "--validation-split"])),
        (beside("validate.csv", plain()), "--validation-split validate", Reads(NAMES, &[])),
        (beside("validate.csv", plain()), "--test-split validate", Reads(NAMES, &[])),
        (beside("val/data.csv", plain()), "", Reads(NAMES, &["val: not read"])),
        (beside("validation.csv", "text,label\n".into()), "", Refuses(&["`validation` has 0 rows", "validation.csv"])),
        // Columns.
        (one(plain().replace("text,label", "text, label")), "", Reads(NAMES, &[])),
        (one(table("text,sentence,label,class", |i, class| format!("film {i},x,{},y", NAMES[class]))), "", Reads(NAMES, &["`sentence` could be meant", "`class` could be meant"])),
        (one(plain().replace("text,label\n", "")), "", Refuses(&["as the first line of the file names them"])),
        (one(plain().replace("text,label", "text,label,label")), "", Refuses(&["\"label\" twice", "another name"])),
        // Names as they are typed.
        (one(plain()), "--labels 'negative, positive'", Reads(NAMES, &[])),
        (one(plain()), "--labels negative,positive,", Refuses(&["an extra comma"])),
    ]
}

#[test]
fn files_of_other_programs() {
    let reports = reports();
    let half = reports.len().div_ceil(2);
    std::thread::scope(|scope| {
        for reports in reports.chunks(half) {
            scope.spawn(|| reports.iter().for_each(check));
        }
    });
}

fn check((files, options, right): &Report) {
    let scratch = Scratch::new();
    let folder = scratch.path("data");
    for (name, content) in files {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }
    let data = match &files[..] {
        [(name, _)] => folder.join(name),
        _ => folder.clone(),
    };
    let mut arguments = vec!["--dataset", data.to_str().unwrap()];
    arguments.extend(split("--max-steps 1 --strategy head --report-to none"));
    let options = words(options);
    arguments.extend(options.iter().map(String::as_str));
    let run = scratch.train(&arguments);
    let what = format!(
        "{:?} {options:?}\n{run}",
        files.iter().map(|f| f.0).collect::<Vec<_>>()
    );
    match right {
        Refuses(words) => run.refused(words),
        Reads(classes, words) => {
            assert_eq!(run.code, Some(0), "{what}");
            assert_eq!(plan_labels(&scratch.path("run")), *classes, "{what}");
            let notes = run.stderr.lines().filter(|line| line.starts_with("note: "));
            let about_head = |line: &&str| line.contains("head") || line.contains("macro averages");
            let notes: Vec<_> = notes.filter(|line| !about_head(line)).collect();
            let notes = notes.join("\n");
            assert_eq!(notes.is_empty(), words.is_empty(), "{what}");
            for word in *words {
                assert!(notes.contains(word), "no {word:?} in a note: {what}");
            }
        }
    }
}

/// Options as a shell takes them, single quotes included.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('\'').enumerate();
    let words = parts.flat_map(|(index, part)| match index % 2 {
        0 => split(part.trim()).into_iter().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}

#[test]
fn predictions_that_cannot_be_what_is_meant() {
    let scratch = Scratch::new();
    fs::write(scratch.path("train.csv"), plain()).unwrap();
    let data = scratch.path("train.csv");
    let data = data.to_str().unwrap();
    let quick = split("--max-steps 1 --strategy head --report-to none");
    let run = scratch.train(&[&["--dataset", data][..], &quick].concat());
    assert_eq!(run.code, Some(0), "{run}");
    let model = scratch.path("run/model");
    let predict = |arguments: &[&str]| {
        let model = ["predict", "--model", model.to_str().unwrap()];
        scratch.run(&[&model[..], arguments].concat())
    };
    let missing = scratch.path("missing/x.csv");
    let sheet = scratch.path("x.xlsx");
    let to = |path: &Path, form: &[&str]| {
        let output = ["--file", data, "--output", path.to_str().unwrap()];
        predict(&[&output[..], form].concat())
    };
    predict(&["--pair", "a film", "b"]).refused(&["single texts", "'a film' b"]);
    to(&missing, &[]).refused(&["there is no directory", "missing"]);
    to(&sheet, &[]).refused(&["cannot be written as .xlsx", ".csv"]);
    assert!(!sheet.exists());
    // What the messages suggest.
    predict(&["a film", "b"]).succeeded();
    to(&sheet, &["--format", "csv"]).succeeded();
    to(&scratch.path("x.csv"), &[]).succeeded();
}

fn plan_labels(run: &Path) -> Vec<String> {
    let plan = fs::read_to_string(run.join("plan.toml")).unwrap();
    let plan: toml::Table = toml::from_str(&plan).unwrap();
    let labels = plan["labels"].as_array().unwrap();
    labels
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}
