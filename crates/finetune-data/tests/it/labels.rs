//! What labels mean, and where class names come from.

use finetune_data::{Columns, Dataset, Labels, ProblemType, Result, Split, Task, infer_task};

use crate::common::{assert_has, build, folder, message, open, parquet, path, regression};

fn infer(
    split: &Split,
    labels: Option<&[&str]>,
    problem_type: Option<ProblemType>,
) -> Result<Task> {
    let columns = Columns::resolve(split, &[], &[], true)?;
    let labels: Option<Vec<String>> =
        labels.map(|names| names.iter().map(|n| (*n).to_owned()).collect());
    infer_task(&[split], &columns, labels.as_deref(), problem_type)
}

fn classes(names: &[&str]) -> Task {
    Task::Classes(names.iter().map(|n| (*n).to_owned()).collect())
}

/// Returns the task inferred from a CSV label column, and the labels decoded with it.
fn csv(labels: &[&str], names: Option<&[&str]>) -> Result<(Task, Labels)> {
    let content: String = labels.iter().map(|l| format!("x,{l}\n")).collect();
    let (_folder, split) = open("x.csv", &format!("text,label\n{content}"));
    let split = split?;
    let schema = infer(&split, names, None)?;
    let data = build(&split, Some(&schema), 8, None)?;
    let rows: Vec<u64> = (0..labels.len() as u64).collect();
    Ok((schema, data.batch(&rows)?.labels))
}

#[test]
fn strings_integers_and_floats() {
    let found = csv(&["pos", "neg", "neutral", "neg"], None).unwrap();
    assert_eq!(
        found,
        (
            classes(&["neg", "neutral", "pos"]),
            Labels::Classes(vec![2, 0, 1, 0])
        )
    );
    let found = csv(
        &["1", "0", "10", "2", "3", "4", "5", "6", "7", "8", "9"],
        None,
    )
    .unwrap();
    assert_eq!(found.0.class_names()[10], "10");
    assert_eq!(
        found.1,
        Labels::Classes(vec![1, 0, 10, 2, 3, 4, 5, 6, 7, 8, 9])
    );
    let found = csv(&["1.5", "2", "-0.25"], None).unwrap();
    assert_eq!(
        found,
        (
            regression(&["label"]),
            Labels::Values {
                width: 1,
                values: vec![1.5, 2.0, -0.25]
            }
        )
    );
    let found = csv(&["01", "02", "01"], None).unwrap();
    assert_eq!(found.0, classes(&["01", "02"]));
    let found = csv(&["yes", "1", "0"], None).unwrap();
    assert_eq!(found.0, classes(&["0", "1", "yes"]));
}

#[test]
fn named_by_flag() {
    let found = csv(&["pos", "neg"], Some(&["pos", "neg"])).unwrap();
    assert_eq!(found.1, Labels::Classes(vec![0, 1]));
    let found = csv(&["1", "0"], Some(&["neg", "pos"])).unwrap();
    assert_eq!(found.1, Labels::Classes(vec![1, 0]));
    let found = csv(&["5", "1"], Some(&["1", "2", "3", "4", "5"])).unwrap();
    assert_eq!(found.1, Labels::Classes(vec![4, 0]));
    assert_has(
        &message(csv(&["1", "3", "5"], None)),
        &["the integers 1,3,5", "--labels 1,3,5"],
    );
    assert_has(
        &message(csv(&["a", "b"], Some(&["a", "a"]))),
        &["\"a\" is named twice"],
    );
    assert_has(
        &message(csv(&["a", "a"], None)),
        &["1 class (\"a\")", "at least two"],
    );
    assert_has(
        &message(csv(&["pos", "neg", "mixed"], Some(&["neg", "pos"]))),
        &[
            "x.csv, row 2 (line 4)",
            "\"mixed\"",
            "not one of the 2 classes (neg, pos)",
        ],
    );
    assert_has(
        &message(csv(&["0", "2"], Some(&["neg", "pos"]))),
        &["row 1 (line 3)", "class index 2", "outside 0..2"],
    );
    assert_has(
        &message(csv(&["0.5", "1"], Some(&["a", "b"]))),
        &["row 0", "0.5", "floating-point"],
    );
}

#[test]
fn names_in_the_metadata() {
    let folder = folder(&[]);
    let file = folder.path().join("x.parquet");
    let labels = [Some(0), Some(1), Some(1)];
    parquet(&file, &["a", "b", "c"], &labels, &["neg", "pos"]);
    let split = Dataset::open(path(&folder, "x.parquet"))
        .unwrap()
        .split("train")
        .unwrap();
    assert_eq!(infer(&split, None, None).unwrap(), classes(&["neg", "pos"]));
    let decode = |names: &[&str]| {
        let data = build(&split, Some(&infer(&split, Some(names), None)?), 8, None)?;
        Ok(data.batch(&[0, 1, 2])?.labels)
    };
    // The same names in another order match by name, regardless of case.
    for names in [["pos", "neg"], ["POS", " Neg"]] {
        assert_eq!(decode(&names).unwrap(), Labels::Classes(vec![1, 0, 0]));
    }
    // Numbers are not names.
    assert_eq!(
        decode(&["LABEL_0", "LABEL_1"]).unwrap(),
        Labels::Classes(vec![0, 1, 1])
    );
    assert_has(
        &message(decode(&["bad", "good"])),
        &["(neg, pos)", "(bad, good)", "--labels-by-position"],
    );
    assert_has(
        &message(decode(&["a", "b", "c"])),
        &["(neg, pos)", "(a, b, c)"],
    );
    assert_has(
        &message(decode(&["neg", "other"])),
        &["row 1", "\"pos\"", "(neg, other)"],
    );
    assert_eq!(
        infer(&split, None, Some(ProblemType::Regression)).unwrap(),
        regression(&["label"])
    );

    parquet(&file, &["a", "b"], &[Some(0), Some(2)], &["neg", "pos"]);
    let broken = Dataset::open(path(&folder, "x.parquet"))
        .unwrap()
        .split("train")
        .unwrap();
    let schema = infer(&broken, None, None).unwrap();
    assert_has(
        &message(build(&broken, Some(&schema), 8, None)),
        &[
            "x.parquet, row 1",
            "class index 2",
            "outside 0..2",
            "(neg, pos)",
        ],
    );
    parquet(&file, &["a", "b"], &[Some(-1), Some(-1)], &["neg", "pos"]);
    let hidden = Dataset::open(path(&folder, "x.parquet"))
        .unwrap()
        .split("train")
        .unwrap();
    assert_has(
        &message(build(&hidden, Some(&schema), 8, None)),
        &["row 0", "label -1", "without a label"],
    );
    parquet(&file, &["a", "b"], &[Some(-1), Some(-1)], &[]);
    let hidden = Dataset::open(path(&folder, "x.parquet"))
        .unwrap()
        .split("train")
        .unwrap();
    assert_has(&message(infer(&hidden, None, None)), &["row 0", "label -1"]);
}

#[test]
fn floats_and_nulls() {
    let folder = folder(&[
        (
            "f.jsonl",
            "{\"text\":\"a\",\"label\":1.5}\n{\"text\":\"b\",\"label\":2}\n",
        ),
        (
            "n.jsonl",
            "{\"text\":\"a\",\"label\":1}\n{\"text\":\"b\"}\n",
        ),
        (
            "b.jsonl",
            "{\"text\":\"a\",\"label\":true}\n{\"text\":\"b\",\"label\":false}\n",
        ),
        ("w.csv", "text,label\na,0.5\nb,high\n"),
    ]);
    let split = |name: &str| {
        Dataset::open(path(&folder, name))
            .unwrap()
            .split("train")
            .unwrap()
    };
    let floats = split("f.jsonl");
    assert_eq!(infer(&floats, None, None).unwrap(), regression(&["label"]));
    for error in [
        infer(&floats, None, Some(ProblemType::SingleLabelClassification)),
        infer(&floats, Some(&["a", "b"]), None),
    ] {
        assert_has(
            &message(error),
            &["f.jsonl, row 0 (line 1)", "1.5", "classes are meant"],
        );
    }
    assert_has(
        &message(build(&floats, Some(&classes(&["a", "b"])), 8, None)),
        &["row 0 (line 1)", "1.5"],
    );
    assert_has(
        &message(infer(&split("n.jsonl"), None, None)),
        &["row 1 (line 2)", "`label` is null"],
    );
    let booleans = split("b.jsonl");
    assert_eq!(
        infer(&booleans, None, None).unwrap(),
        classes(&["false", "true"])
    );
    let words = split("w.csv");
    assert_has(
        &message(build(&words, Some(&regression(&["label"])), 8, None)),
        &["row 1 (line 3)", "\"high\"", "not a finite number"],
    );
}

/// Inference examines both splits, so a class that occurs in only one is in the list.
#[test]
fn classes_unknown_to_training() {
    let folder = folder(&[
        ("train.csv", "text,label\nx,a\ny,b\n"),
        ("val.csv", "text,label\nz,c\n"),
    ]);
    let dataset = Dataset::open(folder.path().to_str().unwrap()).unwrap();
    let (train, validation) = (
        dataset.split("train").unwrap(),
        dataset.split("val").unwrap(),
    );
    let columns = Columns::resolve(&train, &[], &[], true).unwrap();
    let schema = infer_task(&[&train, &validation], &columns, None, None).unwrap();
    for (split, expected) in [(&train, [1, 1, 0]), (&validation, [0, 0, 1])] {
        assert_eq!(split.class_counts(&columns, &schema).unwrap(), expected);
        let built = build(split, Some(&schema), 8, None).unwrap();
        assert_eq!(built.class_counts().unwrap(), expected);
    }
}
