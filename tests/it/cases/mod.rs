//! Files as people really have them, each with the expected outcome: one table, run on small
//! generated files and, if they are present beside the workspace, on the real files of the same
//! names.
//!
//! A row is a command on a folder: one training step, so that the counts show what was read;
//! evaluation of a good model; or prediction with that model, or with one for pairs.

pub mod files;

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    command::{Run, Scratch, argument, split},
    samples::{self, CLASSES, Example},
};

/// A situation, and what is right.
struct Case {
    /// Name of the folder.
    name: &'static str,
    /// File in it that is named; empty: the folder is.
    file: &'static str,
    command: Command,
    /// Further options.
    options: &'static str,
    make: fn(&Path, &[Example]),
    right: Right,
}

enum Command {
    Train,
    /// The model that was trained on `ok`.
    Evaluate,
    Predict(Model),
}

#[derive(Clone, Copy)]
enum Model {
    /// Trained on `ok`, until it is good.
    Good,
    /// Trained on the pairs of `sts`.
    OfPairs,
}

enum Right {
    /// Trained: so many rows with these labels, and notes with these words; none: no note about the data.
    Reads(u64, Labels, &'static [&'static str]),
    /// Trained; what is printed under "Next" repeats the run's figures on rows of this name.
    Repeats(&'static str),
    /// Evaluated: so many rows, at least 0.97 of them right, and notes as above.
    Knows(u64, &'static [&'static str]),
    /// Predicted: which rows have an answer, and notes as above.
    Answers(&'static [bool], &'static [&'static str]),
    /// A message with these words, exit code 2.
    Refuses(&'static [&'static str]),
}

enum Labels {
    /// One a row.
    Classes(&'static [&'static str]),
    /// Any number a row.
    Marks(&'static [&'static str]),
    Numbers(&'static [&'static str]),
}

use Labels::{Classes, Marks, Numbers};
use Right::{Answers, Knows, Reads, Refuses, Repeats};

/// In place of options: no validation and test splits are named.
const UNNAMED: &str = "unnamed";

const NAMES: Labels = Classes(&CLASSES);
const INDICES: Labels = Classes(&["0", "1"]);

const fn case(
    name: &'static str,
    options: &'static str,
    make: fn(&Path, &[Example]),
    right: Right,
) -> Case {
    Case {
        name,
        file: "",
        command: Command::Train,
        options,
        make,
        right,
    }
}

const fn evaluate(
    name: &'static str,
    options: &'static str,
    make: fn(&Path, &[Example]),
    right: Right,
) -> Case {
    Case {
        command: Command::Evaluate,
        ..case(name, options, make, right)
    }
}

const fn predict(
    name: &'static str,
    file: &'static str,
    model: Model,
    make: fn(&Path, &[Example]),
    right: Right,
) -> Case {
    Case {
        file,
        command: Command::Predict(model),
        ..case(name, "", make, right)
    }
}

/// The table.
#[rustfmt::skip]
const CASES: &[Case] = &[
    case("ok", "", files::clean, Reads(64, NAMES, &[])),
    evaluate("ok", UNNAMED, files::clean, Knows(40, &[])),

    // Lists of two classes.
    case("jl_onehot2", "", files::one_hot, Reads(64, INDICES, &["row 0 (line 1): [1, 0]", "one class per row", "--problem-type multi_label"])),
    case("pq_list_int_onehot2", "", files::one_hot_parquet, Reads(64, INDICES, &["row 0: [1, 0]", "one class per row", "--problem-type multi_label"])),

    // Names of classes, each file's own.
    case("shard_classlabel", "", files::class_label_shards, Reads(64, NAMES, &["train-00000-of-00002.parquet and positive, negative in", "read by its own names"])),
    evaluate("shard_classlabel", "", files::class_label_shards, Knows(64, &[])),
    case("mixed_csv_parquet", UNNAMED, files::csv_and_parquet, Reads(64, NAMES, &[])),
    evaluate("mixed_csv_parquet", UNNAMED, files::csv_and_parquet, Knows(64, &[])),
    evaluate("pq_classlabel", "", files::class_label, Knows(64, &[])),
    evaluate("pq_classlabel_rev", "", files::class_label_reversed, Knows(64, &[])),
    case("pq_classlabel_rev", "", files::class_label_reversed, Reads(64, Classes(&["positive", "negative"]), &[])),
    evaluate("pq_classlabel_upper_rev", "", files::class_label_upper_reversed, Knows(64, &["ignoring case", "\"POSITIVE\" is \"positive\""])),
    case("pq_classlabel", "--labels POSITIVE,NEGATIVE", files::class_label, Reads(64, Classes(&["POSITIVE", "NEGATIVE"]), &["ignoring case", "\"negative\" is \"NEGATIVE\""])),

    // What the values say, not the type of a cell.
    case("jl_multihot_float", "", files::multi_hot_floats, Reads(64, Marks(&["0", "1", "2"]), &["row 0 (line 1)", "--problem-type regression"])),
    case("jl_multihot_float", "--problem-type regression", files::multi_hot_floats, Reads(64, Numbers(&["labels_0", "labels_1", "labels_2"]), &[])),
    case("toxic_float", "--label-column toxic,insult", files::toxic_floats, Reads(64, Marks(&["toxic", "insult"]), &["row 0 (line 2)", "--problem-type regression"])),
    case("toxic_float", "--label-column toxic,insult --problem-type regression", files::toxic_floats, Reads(64, Numbers(&["toxic", "insult"]), &[])),
    case("toxic", "--label-column toxic,insult", files::toxic, Refuses(&["--text-column", "comment_text"])),
    case("toxic", "--text-column comment_text --label-column toxic,insult", files::toxic, Reads(64, Marks(&["toxic", "insult"]), &[])),
    case("toxic", "--text-column comment_text --label-column toxic,insult", files::toxic, Repeats("validation")),
    case("pq_float01", "", files::float_classes, Reads(64, INDICES, &["row 0: 0.0", "--problem-type regression"])),
    case("pq_float01", "--problem-type regression", files::float_classes, Reads(64, Numbers(&["label"]), &[])),
    case("pq_float01", "--problem-type classification", files::float_classes, Reads(64, INDICES, &[])),
    case("lab_float012", "", files::three_float_classes, Reads(64, Classes(&["0", "1", "2"]), &["row 1 (line 3): 1.0", "--problem-type regression"])),
    case("lab_float012", "--problem-type regression", files::three_float_classes, Reads(64, Numbers(&["label"]), &[])),
    case("lab_float012", "--problem-type classification", files::three_float_classes, Reads(64, Classes(&["0", "1", "2"]), &[])),
    case("jl_int_one_float", "", files::one_float_json, Reads(64, INDICES, &["row 9 (line 10)", "--problem-type regression"])),
    case("csv_int_one_float", "", files::one_float, Reads(64, INDICES, &["row 9 (line 11)", "label 1.0", "--problem-type regression"])),
    case("csv_na_in_scores", "", files::scores_with_na, Refuses(&["row 9 (line 11)", "\"NA\"", "--skip-invalid"])),
    case("csv_na_in_scores", "--problem-type regression --skip-invalid --validation-split train[:9]", files::scores_with_na, Reads(9, Numbers(&["label"]), &["1 row was left out", "row 9 (line 11)"])),
    case("csv_num_na", "", files::integers_with_na, Refuses(&["row 9 (line 11)", "\"NA\"", "--skip-invalid"])),
    case("csv_num_na", "--skip-invalid --validation-split train[:9]", files::integers_with_na, Reads(9, INDICES, &["1 row was left out", "row 9 (line 11)"])),
    case("pq_decimal", "", files::decimals, Reads(64, Numbers(&["label"]), &[])),
    case("pq_binary_text", "", files::binary_text, Reads(64, INDICES, &[])),

    // The rows that were chosen.
    case("sorted_classes", "unnamed --train-split train[:40%]", files::sorted, Refuses(&["all 23 chosen training rows", "\"negative\"", "--train-split train --train-rows"])),
    case("lab_ints_names", "--labels one,two,three", files::from_one, Reads(64, Classes(&["one", "two", "three"]), &["no row has class `one`", "count from 0 (0 is \"one\"", "--labels 1,2 "])),
    case("lab_ints_names", "", files::from_one, Refuses(&["1,2, which are not 0 to n-1", "--labels 1,2;"])),
    case("val_unseen_class", UNNAMED, files::unseen_class, Reads(64, Classes(&["negative", "neutral", "positive"]), &["no training row has class `neutral` (1 in validation)"])),
    Case { file: "data.csv", ..case("rare_class_one_file", "unnamed --train-rows 64 --eval-rows 32", files::rare_class, Reads(32, Classes(&["negative", "positive", "rare"]), &["64 of the 3600 rows", "`rare` (3 rows)", "no validation row has class `rare`", "macro averages are taken over all 3 classes"])) },
    case("pq_classlabel_unused", "", files::class_label_unused, Reads(64, Classes(&["neg", "pos", "unused"]), &["no row has class `unused`", "macro averages are taken over all 3 classes"])),
    case("pq_classlabel_unused", "unnamed --metric-for-best-model roc_auc --early-stopping-patience 2", files::class_label_unused, Refuses(&["roc_auc", "not defined on these 6 validation rows", "`unused`", "--metric-for-best-model f1_macro"])),
    case("lab_text_long", UNNAMED, files::all_different, Refuses(&["64 classes in 64 rows: is this the label column?", "--label-column"])),

    // Labels as they are written.
    case("csv_empty_label_quoted", "", files::empty_label, Refuses(&["row 5 (line 7)", "null or blank", "--skip-invalid"])),
    case("lab_neg", "", files::signs, Refuses(&["-1,1", "--labels -1,1;", "--problem-type regression"])),
    case("lab_neg", "--labels -1,1", files::signs, Reads(64, Classes(&["-1", "1"]), &[])),
    case("lab_neg", "--problem-type regression", files::signs, Reads(64, Numbers(&["label"]), &[])),
    case("lab_neg3", "", files::three_signs, Refuses(&["row 0 (line 2)", "--labels -1,0,1;"])),
    case("lab_neg3", "--labels -1,0,1", files::three_signs, Reads(64, Classes(&["-1", "0", "1"]), &[])),
    case("csv_label_variants", "", files::label_variants, Reads(64, Classes(&["Positive", "negative", "negative ", "positive"]), &["\"negative \" (", "\"Positive\" (", "row 2 (line 4)", "differ only in case, blanks"])),
    case("csv_space_label", "", files::leading_blanks, Reads(64, Classes(&[" negative", " positive"]), &["\" negative\" (", "row 0 (line 2)", "blanks or invisible"])),
    evaluate("csv_space_label", "", files::leading_blanks, Knows(64, &["\" negative\" is \"negative\""])),
    case("nbsp_label", "", files::no_break_spaces, Reads(64, Classes(&["negative", "negative\u{a0}", "positive", "positive\u{a0}"]), &["\"negative\\u{a0}\" (", "\"positive\\u{a0}\" (", "row 0 (line 2)"])),
    case("lab_delim_csv", "", files::several_in_a_cell, Reads(64, Classes(&["anger", "anger;joy", "joy"]), &["row 1 (line 3)", "--label-separator ';'"])),
    case("lab_delim_csv", "--label-separator ;", files::several_in_a_cell, Reads(64, Marks(&["anger", "joy"]), &[])),
    case("pq_glue", UNNAMED, files::glue, Reads(64, NAMES, &["the test split test is not used", "-1"])),
    case("pq_glue", "--validation-split validation --test-split test", files::glue, Refuses(&["the test split test has no labels", "-1", "--test-split \"\""])),

    // Columns and pairs.
    case("two_text_cols", "--text-column clean", files::two_texts, Repeats("validation")),
    case("sts", "", files::sts, Refuses(&["--label-column", "score"])),
    case("sts", "--label-column score", files::sts, Reads(64, Numbers(&["score"]), &[])),
    predict("pred_null", "rows.csv", Model::Good, files::null_text, Answers(&[true, false, true], &["1 of 3 rows has no text"])),
    predict("pred_null", "rows.jsonl", Model::Good, files::null_text, Answers(&[true, false, true], &["1 of 3 rows has no text"])),
    predict("pred_pair", "rows.csv", Model::OfPairs, files::one_text_for_a_pair, Refuses(&["pairs of texts", "--text-column FIRST,SECOND"])),
    Case { options: "film", ..predict("pred_pair", "", Model::OfPairs, files::one_text_for_a_pair, Refuses(&["pairs of texts", "--pair"])) },
    Case { options: "--pair film plot", ..predict("pred_pair", "", Model::OfPairs, files::one_text_for_a_pair, Answers(&[true], &[])) },

    // Forms of files.
    case("csv_semicolon", "", files::semicolon, Reads(64, NAMES, &["';'", "--csv-delimiter"])),
    case("csv_semicolon", "--csv-delimiter ;", files::semicolon, Reads(64, NAMES, &[])),
    case("csv_comment", "", files::comment, Reads(64, NAMES, &["#", "--csv-comment"])),
    case("csv_comment", "--csv-comment #", files::comment, Reads(64, NAMES, &[])),
    case("csv_cr_only", "", files::carriage_returns, Reads(64, NAMES, &["carriage returns"])),
    case("csv_utf16", "", files::utf16, Reads(64, NAMES, &["UTF-16LE", "byte order mark"])),
    case("csv_stray_quotes", "", files::stray_quotes, Reads(61, NAMES, &["line 12", "to line 15", "1 of 61 rows", "--csv-quoting none"])),
    case("csv_stray_quotes", "--csv-quoting none", files::stray_quotes, Reads(64, NAMES, &[])),
    Case { file: "train.tsv", ..case("tsv_stray_quotes", "", files::stray_quotes_in_tabs, Reads(61, NAMES, &["line 12", "to line 15", "1 of 61 rows", "--csv-quoting none"])) },
    Case { file: "train.tsv", ..case("tsv_stray_quotes", "--csv-quoting none", files::stray_quotes_in_tabs, Reads(64, NAMES, &[])) },
    case("csv_gz", "", files::gzip, Reads(64, NAMES, &[])),
    case("json_array", "", files::json_array, Reads(64, INDICES, &[])),
    case("json_pandas_columns", "", files::pandas_columns, Refuses(&["train.json", "pandas", "orient='records'"])),
    case("jl_nan_score", "", files::nan_score, Refuses(&["train.jsonl, row 30 (line 31)", "no NaN"])),
    case("jl_trailing_comma", "", files::trailing_comma, Refuses(&["train.jsonl, row 0 (line 1)", "comma behind the object"])),
    case("mnli_like", "--validation-split validation_mismatched", files::mnli, Reads(64, INDICES, &[])),
    case("mnli_like", UNNAMED, files::mnli, Reads(64, INDICES, &["validation_matched, validation_mismatched", "--validation-split"])),
    case("spark_dir", "", files::spark, Reads(64, NAMES, &["part-00000", "1 other part"])),
    case("fasttext", "", files::fasttext, Reads(64, NAMES, &["fastText"])),
    case("codec_brotli", "", files::brotli, Reads(64, NAMES, &[])),
    Case { file: "compressed_length.arrow", ..case("hostile", "", files::hostile, Refuses(&["compressed_length.arrow: not a readable Arrow IPC file", "claims to hold"])) },
    Case { file: "hfrows_1e9.arrow", ..case("hostile", "", files::hostile, Refuses(&["hfrows_1e9.arrow: not a readable Arrow IPC file", "1000000000 rows"])) },
    Case { file: "hfrows_2p50.arrow", ..case("hostile", "", files::hostile, Refuses(&["hfrows_2p50.arrow: not a readable Arrow IPC file", "1125899906842624 rows"])) },
];

/// Of the table, only made here: the example beside the workspace is of another format.
const ONLY_MADE: [&str; 1] = ["tsv_stray_quotes"];

#[test]
fn files_as_people_have_them() {
    let scratch = Scratch::new();
    let rows = samples::examples(64);
    let mut made = BTreeSet::new();
    for case in CASES {
        let folder = scratch.path(case.name);
        if made.insert(case.name) {
            std::fs::create_dir(&folder).unwrap();
            (case.make)(&folder, &rows);
        }
    }
    check_all(&scratch.path(""), CASES.iter().collect());
}

#[test]
fn the_same_of_the_files_beside_the_workspace() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/cases");
    if !shared.is_dir() {
        eprintln!("skipped: no files at {}", shared.display());
        return;
    }
    let folders = std::fs::read_dir(&shared).unwrap().map(Result::unwrap);
    let folders = folders.filter(|entry| entry.path().is_dir());
    let there: BTreeSet<_> = folders
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    let cases: Vec<_> = CASES
        .iter()
        .filter(|case| !ONLY_MADE.contains(&case.name))
        .collect();
    let named = cases.iter().map(|case| case.name.to_owned()).collect();
    assert_eq!(there, named, "each folder has a row, and each row a folder");
    check_all(&shared, cases);
}

fn check_all(root: &Path, cases: Vec<&Case>) {
    let models = Models::new(root);
    each(&cases, |case| check(case, root, &models));
}

/// Checks every row of a table, several at a time, and fails if one did: each has said why.
pub fn each<T: Sync>(rows: &[T], check: impl Fn(&T) + Sync) {
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores.min(8) {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if catch_unwind(AssertUnwindSafe(|| check(row))).is_err() {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(failed.into_inner(), 0, "rows failed, of {}", rows.len());
}

/// The models that are evaluated and predicted with, trained when one is first wanted.
struct Models<'a> {
    root: &'a Path,
    good: OnceLock<Scratch>,
    of_pairs: OnceLock<Scratch>,
}

impl<'a> Models<'a> {
    fn new(root: &'a Path) -> Self {
        let (good, of_pairs) = Default::default();
        Self {
            root,
            good,
            of_pairs,
        }
    }

    fn path(&self, model: Model) -> PathBuf {
        let (trained, name, options) = match model {
            Model::Good => (
                &self.good,
                "ok",
                "--test-split= --epochs 45 --learning-rate 3e-3",
            ),
            Model::OfPairs => (&self.of_pairs, "sts", "--label-column score --max-steps 1"),
        };
        let train = || {
            let scratch = Scratch::new();
            let data = self.root.join(name);
            let dataset = ["--dataset", argument(&data)];
            scratch
                .train(&[&dataset[..], &split(options)].concat())
                .succeeded();
            scratch
        };
        trained.get_or_init(train).path("run/model")
    }
}

#[track_caller]
fn check(case: &Case, root: &Path, models: &Models) {
    let scratch = Scratch::new();
    let mut options = split(case.options);
    let unnamed = options.first() == Some(&UNNAMED);
    if unnamed {
        options.remove(0);
    }
    let folder = root.join(case.name);
    let data = match case.file {
        "" => folder,
        file => folder.join(file),
    };
    let data = argument(&data);
    if let Repeats(rows) = case.right {
        let fixed = ["--dataset", data, "--epochs", "1", "--report-to", "none"];
        #[cfg(unix)]
        crate::next::repeats(&scratch, &[&fixed, &options[..]].concat(), rows);
        return;
    }
    let run = match case.command {
        Command::Train => {
            let mut fixed = split("--max-steps 1 --strategy head --report-to none --json");
            for (flag, value) in [
                ("--train-rows", "0"),
                ("--eval-rows", "0"),
                ("--validation-split", "train"),
                ("--test-split", ""),
            ] {
                let named = options.contains(&flag) || unnamed && flag.ends_with("-split");
                fixed.extend([flag, value].into_iter().filter(|_| !named));
            }
            scratch.train(&[&["--dataset", data], &fixed[..], &options].concat())
        }
        Command::Evaluate => {
            let model = models.path(Model::Good);
            let fixed = ["evaluate", argument(&model), "--dataset", data, "--json"];
            let split: &[_] = if unnamed { &[] } else { &["--split", "train"] };
            scratch.run(&[&fixed, split, &options].concat())
        }
        Command::Predict(model) => {
            let model = models.path(model);
            let fixed = ["predict", "--model", argument(&model), "--json"];
            let file: &[_] = if case.file.is_empty() {
                &[]
            } else {
                &["--file", data]
            };
            scratch.run(&[&fixed, file, &options].concat())
        }
    };
    let what = format!("{} {}\n{run}", case.name, case.options);
    match &case.right {
        Refuses(words) => {
            run.refused(words);
            assert!(!scratch.path("run").exists(), "{what}");
        }
        Reads(rows, labels, words) => {
            assert_eq!(run.code, Some(0), "{what}");
            assert_eq!(run.json()["validation"]["rows"], *rows, "{what}");
            let plan: toml::Table =
                toml::from_str(&String::from_utf8(scratch.read("run/plan.toml")).unwrap()).unwrap();
            let (problem_type, names) = match labels {
                Classes(names) => ("single_label_classification", names),
                Marks(names) => ("multi_label_classification", names),
                Numbers(names) => ("regression", names),
            };
            assert_eq!(plan["problem_type"].as_str(), Some(problem_type), "{what}");
            let expected = names.iter().map(|name| toml::Value::from(*name));
            let expected: Vec<_> = expected.collect();
            assert_eq!(plan["labels"].as_array(), Some(&expected), "{what}");
            says(&run, words, &what);
        }
        Knows(rows, words) => {
            assert_eq!(run.code, Some(0), "{what}");
            let results = run.json();
            assert_eq!(results["rows"], *rows, "{what}");
            assert!(results["accuracy"].as_f64().unwrap() >= 0.97, "{what}");
            says(&run, words, &what);
        }
        Answers(answered, words) => {
            assert_eq!(run.code, Some(0), "{what}");
            let lines = run.json_lines();
            let found: Vec<_> = lines
                .iter()
                .map(|line| !line["prediction"].is_null())
                .collect();
            assert_eq!(found, *answered, "{what}");
            says(&run, words, &what);
        }
        Repeats(_) => unreachable!("checked above"),
    }
}

/// The notes have all these words, or, if there are none, there is no note; what is said of the head of
/// the tiny model that training begins with is no matter here.
#[track_caller]
fn says(run: &Run, words: &[&str], what: &str) {
    let notes = run.stderr.lines().filter(|line| line.starts_with("note: "));
    let notes: Vec<_> = notes
        .filter(|line| !line.contains("the model's head is reinitialized"))
        .collect();
    let notes = notes.join("\n");
    assert_eq!(notes.is_empty(), words.is_empty(), "{what}");
    for word in words {
        assert!(notes.contains(word), "no {word:?} in a note: {what}");
    }
}
