//! Directories, split expressions, subsamples and stratified splits.

use std::collections::HashSet;

use finetune_data::{Columns, Dataset, Split, infer_task};
use proptest::prelude::*;

use crate::common::{assert_has, folder, message, path, texts};

fn rows(range: std::ops::Range<u32>) -> String {
    range.map(|i| format!("r{i}\n")).collect()
}

#[test]
fn directory_with_a_file_per_split() {
    let folder = folder(&[
        ("train-00000-of-00002.txt", &rows(0..6)),
        ("train-00001-of-00002.txt", &rows(6..10)),
        ("dev.txt", &rows(20..23)),
        ("test.csv", "text\nx\n"),
        ("README.md", "#"),
        ("dataset_info.json", "{}"),
        (".hidden.csv", ""),
    ]);
    let dataset = Dataset::open(folder.path().to_str().unwrap()).unwrap();
    assert_eq!(dataset.split_names(), ["train", "validation", "test"]);
    assert!(dataset.has_split("val") && !dataset.has_split("unsupervised"));
    let take = |expression: &str| texts(&dataset.split(expression).unwrap());
    assert_eq!(take("train").len(), 10);
    assert_eq!(take("train[5:7]"), ["r5", "r6"]);
    assert_eq!(take("train[-20%:]+validation[:1]"), ["r8", "r9", "r20"]);
    assert_eq!(take("train[-1:]+train[:2]"), ["r9", "r0", "r1"]);
    assert_eq!(take("dev"), ["r20", "r21", "r22"]);
    assert_has(
        &message(dataset.split("holdout")),
        &["no split `holdout`", "train, validation, test"],
    );
    assert_has(
        &message(dataset.split("train[:1%]")),
        &["\"train[:1%]\" selects nothing", "`train` has 10 rows"],
    );
    assert_has(
        &message(dataset.split("train[5]")),
        &["expected from:to", "examples: train"],
    );
}

#[test]
fn layouts_of_the_hub() {
    let data = folder(&[
        ("data/train-00000-of-00001-abc.txt", "a\n"),
        ("data/test-00000-of-00001.txt", "b\n"),
    ]);
    let dataset = Dataset::open(data.path().to_str().unwrap()).unwrap();
    assert_eq!(dataset.split_names(), ["train", "test"]);
    let folders = folder(&[
        ("train/0000.txt", "a\n"),
        ("train/0001.txt", "b\n"),
        ("validation/0000.txt", "c\n"),
    ]);
    let dataset = Dataset::open(folders.path().to_str().unwrap()).unwrap();
    assert_eq!(dataset.split_names(), ["train", "validation"]);
    assert_eq!(texts(&dataset.split("train").unwrap()), ["a", "b"]);
    let dataset = Dataset::open(path(&folders, "train/*.txt")).unwrap();
    assert_eq!(texts(&dataset.split("train").unwrap()), ["a", "b"]);
}

#[test]
fn shards_with_other_columns() {
    let folder = folder(&[
        ("a-0.csv", "text,label\nx,1\n"),
        ("a-1.csv", "text,stars\nx,1\n"),
    ]);
    let dataset = Dataset::open(path(&folder, "*.csv")).unwrap();
    assert_has(
        &message(dataset.split("train")),
        &[
            "a-1.csv has the columns text (string), stars (string)",
            "a-0.csv has text (string), label",
        ],
    );
}

fn numbered(n: u32) -> (tempfile::TempDir, Split) {
    let folder = folder(&[("x.txt", &rows(0..n))]);
    let split = Dataset::open(path(&folder, "x.txt"))
        .unwrap()
        .split("train")
        .unwrap();
    (folder, split)
}

#[test]
fn random_rows() {
    let (_folder, split) = numbered(200);
    let chosen = texts(&split.shuffle_take(1, 50).unwrap());
    assert_eq!(chosen, texts(&split.shuffle_take(1, 50).unwrap()));
    assert_ne!(chosen, texts(&split.shuffle_take(2, 50).unwrap()));
    assert_eq!(chosen.iter().collect::<HashSet<_>>().len(), 50);
    assert_eq!(split.shuffle_take(1, 0).unwrap().len(), 200);
    assert_eq!(split.shuffle_take(1, 500).unwrap().len(), 200);
    // A smaller draw with the same seed is part of the larger one.
    let fewer = texts(&split.shuffle_take(1, 20).unwrap());
    assert!(fewer.iter().all(|row| chosen.contains(row)));
    assert_eq!(texts(&split.take(3)), ["r0", "r1", "r2"]);
    // Each row is drawn about equally often: 50 of 200 in 400 draws, 100 ± 8.7.
    let mut counts = [0u32; 200];
    for seed in 0..400 {
        for row in texts(&split.shuffle_take(seed, 50).unwrap()) {
            counts[row[1..].parse::<usize>().unwrap()] += 1;
        }
    }
    assert!(counts.iter().all(|c| (60..140).contains(c)), "{counts:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Draws of draws, over sums of overlapping slices, stay within the selection and keep its
    /// order.
    #[test]
    fn draws_of_sums(a in 0u64..60, b in 0u64..60, n in 1u64..40, m in 1u64..20, seed: u64) {
        let folder = folder(&[("x.txt", &rows(0..60))]);
        let dataset = Dataset::open(path(&folder, "x.txt")).unwrap();
        let expression = format!("train[{a}:]+train[:{b}]");
        let expected: Vec<String> = (a..60).chain(0..b).map(|i| format!("r{i}")).collect();
        let split = dataset.split(&expression).unwrap();
        prop_assert_eq!(&texts(&split), &expected);
        let drawn = split.shuffle_take(seed, n).unwrap();
        prop_assert_eq!(drawn.len(), n.min(expected.len() as u64));
        let mut rest = expected.iter();
        for row in texts(&drawn) {
            prop_assert!(rest.any(|r| *r == row), "order");
        }
        let again = drawn.shuffle_take(seed ^ 1, m).unwrap();
        prop_assert_eq!(texts(&again).len() as u64, m.min(drawn.len()));
    }
}

#[test]
fn stratified() {
    let labels = ["a"; 60]
        .into_iter()
        .chain(["b"; 30])
        .chain(["c"; 9])
        .chain(["d"]);
    let mut csv = "text,label\n".to_owned();
    for (i, label) in labels.enumerate() {
        csv += &format!("r{},{label}\n", (i * 37) % 100);
    }
    let folder = folder(&[("x.csv", &csv)]);
    let all = Dataset::open(path(&folder, "x.csv"))
        .unwrap()
        .split("train")
        .unwrap();
    let columns = Columns::resolve(&all, &[], &[], true).unwrap();
    let schema = infer_task(&[&all], &columns, None, None).unwrap();
    let (train, validation) = all
        .stratified_split(&columns, Some(&schema), 0.1, 5)
        .unwrap();
    let counts = |split: &Split| {
        crate::common::build(split, Some(&schema), 8, None)
            .unwrap()
            .class_counts()
            .unwrap()
    };
    assert_eq!(counts(&validation), [6, 3, 1, 0]);
    assert_eq!(counts(&train), [54, 27, 8, 1]);
    let both: HashSet<_> = texts(&train)
        .into_iter()
        .chain(texts(&validation))
        .collect();
    assert_eq!(both.len(), 100);
    let (_, other) = all
        .stratified_split(&columns, Some(&schema), 0.1, 6)
        .unwrap();
    assert_ne!(texts(&other), texts(&validation));
    // Without labels, the same number is drawn at random.
    let (train, validation) = all.stratified_split(&columns, None, 0.25, 5).unwrap();
    assert_eq!((train.len(), validation.len()), (75, 25));
    assert_has(
        &message(all.stratified_split(&columns, None, 1.5, 5)),
        &["between 0 and 1"],
    );
    assert_has(
        &message(all.take(1).stratified_split(&columns, None, 0.5, 5)),
        &["has 1 row"],
    );
}

/// The plain draw is used unless it would lose a class; then each class gets at least one row.
#[test]
fn no_class_is_lost_by_drawing() {
    let labels = ["a"; 60].into_iter().chain(["b"; 38]).chain(["c"; 2]);
    let rows = labels
        .enumerate()
        .map(|(i, label)| format!("r{i},{label}\n"));
    let csv = rows.fold("text,label\n".to_owned(), |all, row| all + &row);
    let folder = folder(&[("x.csv", &csv)]);
    let all = Dataset::open(path(&folder, "x.csv")).unwrap();
    let all = all.split("train").unwrap();
    let columns = Columns::resolve(&all, &[], &[], true).unwrap();
    let schema = infer_task(&[&all], &columns, None, None).unwrap();
    let counts = |split: &Split| split.class_counts(&columns, &schema).unwrap();
    let (mut plain, mut by_class) = (0, 0);
    for seed in 0..40 {
        let shuffled = all.shuffle_take(seed, 20).unwrap();
        let (drawn, note) = all.draw(&columns, Some(&schema), seed, 20).unwrap();
        assert_eq!(drawn.len(), 20);
        if counts(&shuffled)[2] > 0 {
            assert_eq!((texts(&drawn), note), (texts(&shuffled), None));
            plain += 1;
        } else {
            assert_eq!(counts(&drawn), [11, 8, 1]);
            assert_has(
                note.unwrap().as_str(),
                &["20 of the 100 rows", "class by class", "class `c` (2 rows)"],
            );
            by_class += 1;
        }
    }
    assert!(plain > 5 && by_class > 5, "{plain} {by_class}");
    let draw = |n| all.draw(&columns, Some(&schema), 0, n).unwrap();
    for n in [0, 100, 500] {
        assert_eq!((draw(n).0.len(), draw(n).1), (100, None));
    }
    let (two, note) = draw(2);
    assert_eq!(two.len(), 2);
    assert_has(note.unwrap().as_str(), &["have none of", "at least 3 rows"]);
    // Without classes there is nothing to lose.
    let (plain, note) = all.draw(&columns, None, 0, 20).unwrap();
    assert_eq!(texts(&plain), texts(&all.shuffle_take(0, 20).unwrap()));
    assert_eq!(note, None);
}

#[test]
fn files_that_somebody_has_found_are_grouped_as_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let files = vec![
        (
            "train".to_owned(),
            vec![
                file("b.jsonl", "{\"text\": \"x\", \"label\": 1}\n"),
                file(
                    "a.jsonl",
                    "{\"text\": \"y\", \"label\": 0}\n{\"text\": \"z\", \"label\": 1}\n",
                ),
            ],
        ),
        (
            "dev".to_owned(),
            vec![file("c.jsonl", "{\"text\": \"v\", \"label\": 0}\n")],
        ),
    ];
    let names = vec!["neg".to_owned(), "pos".to_owned()];
    let class_names = [("label".to_owned(), names.clone())];
    let dataset = Dataset::from_files(
        "acme/reviews",
        files,
        &class_names,
        &finetune_data::ReadOptions::default(),
    )
    .unwrap();
    assert_eq!(dataset.path(), "acme/reviews");
    assert_eq!(dataset.split_names(), ["train", "dev"]);
    let train = dataset.split("train").unwrap();
    // The order is as given, regardless of the names.
    let files = train.files();
    assert!(files[0].ends_with("b.jsonl") && train.len() == 3);
    // An alias finds the split that has another alias as its name.
    let validation = dataset.split("validation").unwrap();
    assert_eq!(validation.len(), 1);
    let columns = finetune_data::Columns::resolve(&train, &[], &[], true).unwrap();
    let labels = finetune_data::infer_task(&[&train, &validation], &columns, None, None).unwrap();
    assert_eq!(labels.class_names(), names);
    assert_eq!(
        finetune_data::splits_in("train[:10%]+test").unwrap(),
        ["train", "test"]
    );
}
