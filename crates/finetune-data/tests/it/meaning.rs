//! The meaning of label columns as inferred from all of their values, and the notes in each
//! situation.

use std::sync::Arc;

use finetune_data::arrow::array::{
    ArrayRef, BinaryArray, Decimal128Array, Float64Array, RecordBatch, StringArray,
};
use finetune_data::{
    Columns, Dataset, Inferred, LabelCells, LabelDecoder, Labels, ProblemType, Result, Split, Task,
    infer_task, write_parquet,
};

use crate::common::{assert_has, folder, message, open, parquet, path, record_batch};

const SINGLE: Option<ProblemType> = Some(ProblemType::SingleLabelClassification);
const MULTI: Option<ProblemType> = Some(ProblemType::MultiLabelClassification);
const REGRESSION: Option<ProblemType> = Some(ProblemType::Regression);

/// Returns what is inferred from a split, with the labels of all rows.
struct Found {
    schema: Task,
    notes: String,
    labels: Vec<Labels>,
}

fn infer(
    splits: &[&Split],
    flags: &[&str],
    names: &[&str],
    problem_type: Option<ProblemType>,
    separator: Option<char>,
) -> Result<Found> {
    let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut columns = Columns::resolve(splits[0], &[], &flags, true)?;
    columns.cells = LabelCells {
        separator,
        ..LabelCells::default()
    };
    let names = Some(&names[..]).filter(|names| !names.is_empty());
    let Inferred {
        task: schema,
        columns,
        notes,
    } = Inferred::of(splits, &columns, names, problem_type)?;
    let mut labels = Vec::new();
    for split in splits {
        let decoder = LabelDecoder::new(&schema, split, &columns)?;
        let label: Vec<_> = columns.label.iter().map(String::as_str).collect();
        for rows in split.read(&label)? {
            labels.push(decoder.decode(&rows?)?);
        }
    }
    let notes: Vec<_> = notes.iter().map(ToString::to_string).collect();
    Ok(Found {
        schema,
        notes: notes.join("\n"),
        labels,
    })
}

fn csv(labels: &[&str], names: &[&str], problem_type: Option<ProblemType>) -> Result<Found> {
    let rows: String = labels.iter().map(|label| format!("x,{label}\n")).collect();
    let (_folder, split) = open("x.csv", &format!("text,label\n{rows}"));
    infer(&[&split?], &[], names, problem_type, None)
}

fn jsonl(labels: &[&str], problem_type: Option<ProblemType>) -> Result<Found> {
    let line = |label: &&str| format!("{{\"text\":\"x\",\"label\":{label}}}\n");
    let rows: String = labels.iter().map(line).collect();
    let (_folder, split) = open("x.jsonl", &rows);
    infer(&[&split?], &[], &[], problem_type, None)
}

fn typed(labels: ArrayRef) -> RecordBatch {
    let texts = StringArray::from(vec!["x"; labels.len()]);
    record_batch(vec![("text", Arc::new(texts)), ("label", labels)])
}

fn in_parquet(batch: &RecordBatch, problem_type: Option<ProblemType>) -> Result<Found> {
    let folder = folder(&[]);
    let place = folder.path().join("x.parquet");
    write_parquet(&place, &batch.schema(), &[], [Ok(batch.clone())]).unwrap();
    let split = Dataset::open_file(&place)?.split("train")?;
    infer(&[&split], &[], &[], problem_type, None)
}

fn names(found: &Found) -> Vec<&str> {
    found.schema.names().iter().map(String::as_str).collect()
}

fn classes(found: &Found) -> Vec<u32> {
    let of = |labels: &Labels| match labels {
        Labels::Classes(classes) => classes.clone(),
        other => panic!("{other:?}"),
    };
    found.labels.iter().flat_map(of).collect()
}

#[test]
fn floats_that_are_whole_and_few_are_classes() {
    let floats = typed(Arc::new(Float64Array::from(vec![
        0.0, 1.0, 2.0, 1.0, 0.0, 2.0,
    ])));
    let found = in_parquet(&floats, None).unwrap();
    assert_eq!(names(&found), ["0", "1", "2"]);
    assert_eq!(classes(&found), [0, 1, 2, 1, 0, 2]);
    assert_has(
        &found.notes,
        &["all whole", "x.parquet, row", "--problem-type regression"],
    );
    let found = in_parquet(&floats, SINGLE).unwrap();
    assert_eq!((names(&found), &*found.notes), (vec!["0", "1", "2"], ""));
    assert_eq!(names(&in_parquet(&floats, REGRESSION).unwrap()), ["label"]);
    // Whole numbers that are not class indices are numbers to predict, and the note's way out
    // works.
    let stars = typed(Arc::new(Float64Array::from(vec![1.0, 5.0, 5.0, 1.0])));
    let found = in_parquet(&stars, None).unwrap();
    assert_eq!(found.schema.problem_type(), ProblemType::Regression);
    assert_has(
        &found.notes,
        &["--problem-type classification --labels 1,5"],
    );
    let found = csv(&["1.0", "5.0", "1.0"], &["1", "5"], SINGLE).unwrap();
    assert_eq!(classes(&found), [0, 1, 0]);
    // One fraction makes all labels numbers; if it follows many whole ones, that is noted.
    let mut many = ["0", "1"].repeat(15);
    many.push("0.5");
    let found = csv(&many, &[], None).unwrap();
    assert_eq!(found.schema.problem_type(), ProblemType::Regression);
    assert_has(&found.notes, &["0.5", "x.csv, row 30 (line 32)"]);
    assert_has(
        &message(csv(&many, &[], SINGLE)),
        &["row 30 (line 32)", "0.5", "--problem-type regression"],
    );
}

#[test]
fn one_float_among_integers() {
    let found = jsonl(&["0", "1", "0", "1.0", "0"], None).unwrap();
    assert_eq!(
        (names(&found), classes(&found)),
        (vec!["0", "1"], vec![0, 1, 0, 1, 0])
    );
    assert_has(
        &found.notes,
        &["x.jsonl, row 3 (line 4)", "--problem-type regression"],
    );
    let found = csv(&["0", "1", "0", "1.0", "0"], &[], None).unwrap();
    assert_eq!(
        (names(&found), classes(&found)),
        (vec!["0", "1"], vec![0, 1, 0, 1, 0])
    );
    assert_has(
        &found.notes,
        &["x.csv, row 3 (line 5)", "1.0", "among integers"],
    );
}

#[test]
fn no_value_among_numbers() {
    for labels in [
        &["0", "1", "NA", "0"][..],
        &["0.5", "1.5", "nan"],
        &["0", " ", "1"],
        &["1.0", "n/a"],
    ] {
        let error = message(csv(labels, &[], None));
        assert_has(&error, &["x.csv, row ", "--skip-invalid"]);
    }
    let error = message(csv(&["0", "1", "\"\"", "0"], &[], None));
    assert_has(&error, &["row 2 (line 4)", "`label` is null or blank"]);
    let found = csv(&["0", "1", "NA", "0"], &[], SINGLE).unwrap();
    assert_eq!(names(&found), ["0", "1", "NA"]);
    let floats = typed(Arc::new(Float64Array::from(vec![0.0, 1.0, f64::NAN])));
    assert_has(
        &message(in_parquet(&floats, None)),
        &["row 2", "--skip-invalid"],
    );
    // A stance can be "none" just as it can be "favor".
    let found = csv(&["favor", "none", "against"], &[], None).unwrap();
    assert_eq!(
        (names(&found), &*found.notes),
        (vec!["against", "favor", "none"], "")
    );
    let found = csv(&["good", "NA", "bad"], &[], None).unwrap();
    assert_has(
        &found.notes,
        &["row 1 (line 3)", "\"NA\"", "take such rows out of the file"],
    );
    let found = csv(&["0", "1", "0", "l", "1"], &[], None).unwrap();
    assert_has(&found.notes, &["\"l\"", "row 3 (line 5)", "not a number"]);
}

#[test]
fn rows_without_a_label_are_left_out() {
    let content = "text,label\na,0\nb,NA\n,1\nd,\ne,1\nf,nan\n";
    let (_folder, split) = open("x.csv", content);
    let split = split.unwrap();
    let columns = Columns::resolve(&split, &[], &[], true).unwrap();
    let (valid, skipped) = split.without_invalid(&columns).unwrap();
    assert_eq!(valid.len(), 2);
    let skipped = skipped.unwrap();
    assert_eq!(
        (skipped.rows, skipped.first.row, skipped.lacks),
        (4, 1, "label")
    );
    let found = infer(&[&valid], &[], &[], None, None).unwrap();
    assert_eq!(
        (names(&found), classes(&found)),
        (vec!["0", "1"], vec![0, 1])
    );
    let (_folder, split) = open("x.csv", "text,label\na,none\nb,favor\nc,NA\n");
    let split = split.unwrap();
    let (all, skipped) = split.without_invalid(&columns).unwrap();
    assert_eq!((all.len(), skipped), (3, None));
}

#[test]
fn lists_of_zeros_and_ones() {
    let found = jsonl(&["[1,0]", "[0,1]", "[0,1]"], None).unwrap();
    assert_eq!(
        (names(&found), classes(&found)),
        (vec!["0", "1"], vec![0, 1, 1])
    );
    assert_has(
        &found.notes,
        &["[1, 0]", "one class per row", "--problem-type multi_label"],
    );
    let found = jsonl(&["[0,0,1]", "[1,0,0]"], None).unwrap();
    assert_eq!(classes(&found), [2, 0]);
    let marks = |values: &[f32], width| Labels::MultiLabel {
        width,
        values: values.iter().map(|&mark| mark != 0.0).collect(),
    };
    let found = jsonl(&["[1,0]", "[1,1]", "[0,0]"], None).unwrap();
    assert_eq!(found.labels, [marks(&[1., 0., 1., 1., 0., 0.], 2)]);
    assert_has(
        &found.notes,
        &["an indicator for each class", "--problem-type regression"],
    );
    let found = jsonl(&["[1,0]", "[0,1]"], MULTI).unwrap();
    assert_eq!(found.labels, [marks(&[1., 0., 0., 1.], 2)]);
    let found = jsonl(&["[1.0,0.0,0.0]", "[0.0,1.0,1.0]"], None).unwrap();
    assert_eq!(found.labels, [marks(&[1., 0., 0., 0., 1., 1.], 3)]);
    assert_has(&found.notes, &["--problem-type regression"]);
    let values = |found: Found| match &found.labels[..] {
        [Labels::Values { values, .. }] => values.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        values(jsonl(&["[1,0]", "[0,1]"], REGRESSION).unwrap()),
        [1., 0., 0., 1.]
    );
    // Actual indices remain indices.
    let found = jsonl(&["[0,1]", "[1]", "[]"], None).unwrap();
    assert_eq!(found.labels, [marks(&[1., 1., 0., 1., 0., 0.], 2)]);
    // This case is ambiguous.
    assert_has(
        &message(jsonl(&["[0,1]", "[0,1]"], None)),
        &["row 0 (line 1)", "0.0, 1.0"],
    );
    assert_has(
        &message(jsonl(&["[1,0]", "[1,1]"], SINGLE)),
        &["row 1 (line 2)", "[1, 1]", "--problem-type multi_label"],
    );
    // A library that asks for no notes is not misled.
    let (_folder, split) = open(
        "x.jsonl",
        "{\"text\":\"x\",\"label\":[1,0]}\n{\"text\":\"x\",\"label\":[1,1]}\n",
    );
    let split = split.unwrap();
    let columns = Columns::resolve(&split, &[], &[], true).unwrap();
    let error = message(infer_task(&[&split], &columns, None, None));
    assert_has(&error, &["Inferred::of"]);
}

#[test]
fn columns_of_floats_are_marks() {
    let (_folder, split) = open("x.csv", "text,toxic,insult\nx,0.0,1.0\ny,1.0,0.0\n");
    let split = split.unwrap();
    let flags = ["toxic", "insult"];
    let found = infer(&[&split], &flags, &[], None, None).unwrap();
    assert_eq!(
        found.schema.problem_type(),
        ProblemType::MultiLabelClassification
    );
    assert_has(
        &found.notes,
        &[
            "toxic, insult",
            "row 0 (line 2)",
            "--problem-type regression",
        ],
    );
    let found = infer(&[&split], &flags, &[], REGRESSION, None).unwrap();
    assert_eq!(found.schema.problem_type(), ProblemType::Regression);
}

#[test]
fn names_that_look_alike() {
    let found = csv(
        &["negative", "Positive", "negative ", "positive"],
        &[],
        None,
    )
    .unwrap();
    assert_has(
        &found.notes,
        &[
            "\"negative\" (",
            "\"negative \" (",
            "row 2 (line 4)",
            "\"Positive\"",
            "\"positive\"",
        ],
    );
    let found = csv(&["negative", "negative\u{a0}", "positive"], &[], None).unwrap();
    assert_has(&found.notes, &["\"negative\\u{a0}\"", "row 1 (line 3)"]);
    let found = csv(&[" negative", " positive"], &[], None).unwrap();
    assert_has(&found.notes, &["\" negative\"", "blanks"]);
    let found = csv(&["caf\u{e9}", "cafe\u{301}"], &[], None).unwrap();
    assert_has(&found.notes, &["\"cafe\\u{301}\""]);
    assert_eq!(csv(&["a", "b"], &[], None).unwrap().notes, "");
}

#[test]
fn several_labels_in_a_cell() {
    let content = "text,label\nx,joy\ny,anger;joy\nz,\nw, anger ; fear\n";
    let (_folder, split) = open("x.csv", content);
    let split = split.unwrap();
    let found = infer(&[&split], &[], &[], None, Some(';')).unwrap();
    assert_eq!(names(&found), ["anger", "fear", "joy"]);
    let expected = [0, 0, 1, 1, 0, 1, 0, 0, 0, 1, 1, 0].map(|mark| mark == 1);
    assert_eq!(
        found.labels,
        [Labels::MultiLabel {
            width: 3,
            values: expected.to_vec()
        }]
    );
    assert_has(&found.notes, &["1 row without a label", "row 2 (line 4)"]);
    let found = csv(&["joy", "anger;joy", "anger"], &[], None).unwrap();
    assert_has(
        &found.notes,
        &["\"anger;joy\"", "row 1 (line 3)", "--label-separator ';'"],
    );
}

#[test]
fn negative_integers_are_listed_as_they_are_typed() {
    assert_has(&message(csv(&["-1", "1"], &[], None)), &["--labels -1,1"]);
    let found = csv(&["-1", "1"], &["-1", "1"], None).unwrap();
    assert_eq!(classes(&found), [0, 1]);
    assert_has(
        &message(csv(&["-1", "0", "1"], &[], None)),
        &["row 0", "--labels -1,0,1"],
    );
    let found = csv(&["-1", "0", "1"], &["-1", "0", "1"], None).unwrap();
    assert_eq!(classes(&found), [0, 1, 2]);
    assert_has(
        &message(csv(&["1", "2"], &["one", "two"], None)),
        &["class index 2", "count from 1", "--labels 1,2"],
    );
}

/// Every file is read by its own names; then the names are merged into one list.
#[test]
fn each_file_has_its_own_names() {
    let folder = folder(&[("train.csv", "text,label\na,negative\nb,positive\n")]);
    let file = |name: &str| folder.path().join(name);
    parquet(
        &file("validation.parquet"),
        &["c", "d"],
        &[Some(0), Some(1)],
        &["positive", "negative"],
    );
    parquet(
        &file("test.parquet"),
        &["e", "f"],
        &[Some(0), Some(2)],
        &["negative", "neutral", "positive"],
    );
    let dataset = Dataset::open(folder.path().to_str().unwrap()).unwrap();
    let splits = ["train", "validation", "test"].map(|name| dataset.split(name).unwrap());
    let found = infer(&[&splits[0], &splits[1], &splits[2]], &[], &[], None, None).unwrap();
    assert_eq!(names(&found), ["negative", "positive", "neutral"]);
    assert_eq!(classes(&found), [0, 1, 1, 0, 0, 1]);
    assert_has(
        &found.notes,
        &["validation.parquet", "test.parquet", "its own names"],
    );
    // The same files as shards of one split.
    let all = dataset.split("train+validation+test").unwrap();
    assert_eq!(
        classes(&infer(&[&all], &[], &[], None, None).unwrap()),
        [0, 1, 1, 0, 0, 1]
    );
    // Integers without names beside names are ambiguous until the user says what they mean.
    parquet(&file("test.parquet"), &["e"], &[Some(1)], &[]);
    let dataset = Dataset::open(folder.path().to_str().unwrap()).unwrap();
    let (train, test) = (
        dataset.split("train").unwrap(),
        dataset.split("test").unwrap(),
    );
    assert_has(
        &message(infer(&[&train, &test], &[], &[], None, None)),
        &["test.parquet", "train.csv", "--labels negative,positive"],
    );
    let found = infer(&[&train, &test], &[], &["negative", "positive"], None, None).unwrap();
    assert_eq!(classes(&found), [0, 1, 1]);
}

#[test]
fn a_name_twice_in_the_metadata() {
    let folder = folder(&[]);
    let file = folder.path().join("x.parquet");
    parquet(
        &file,
        &["a", "b"],
        &[Some(0), Some(2)],
        &["no", "yes", "no"],
    );
    let split = Dataset::open_file(&file).unwrap().split("train").unwrap();
    assert_has(
        &message(infer(&[&split], &[], &[], None, None)),
        &["x.parquet", "the class \"no\"", "twice"],
    );
}

/// A comma in a number may be a decimal comma, a thousands separator, or a separator of two labels.
#[test]
fn commas_in_numbers() {
    let labels = ["\"1,5\"", "\"2,0\"", "3"];
    assert_has(
        &message(csv(&labels, &[], None)),
        &[
            "row 0 (line 2)",
            "\"1,5\"",
            "--problem-type classification",
            "--label-separator ','",
        ],
    );
    let found = csv(&labels, &[], SINGLE).unwrap();
    assert_eq!(names(&found), ["1,5", "2,0", "3"]);
    let found = csv(&["\"a, 5\"", "\"b, 5\""], &[], None).unwrap();
    assert_eq!(names(&found), ["a, 5", "b, 5"]);
}

#[test]
fn lists_as_python_prints_them() {
    let found = csv(&["\"['joy', 'anger']\"", "['joy']", "[]"], &[], None).unwrap();
    assert_eq!(names(&found), ["anger", "joy"]);
}

#[test]
fn labels_that_do_not_fit_together() {
    let folder = folder(&[
        ("train.csv", "text,label\na,good\nb,bad\n"),
        ("validation.jsonl", "{\"text\":\"c\",\"label\":0.25}\n"),
    ]);
    let dataset = Dataset::open(folder.path().to_str().unwrap()).unwrap();
    let splits = ["train", "validation"].map(|name| dataset.split(name).unwrap());
    let error = message(infer(&[&splits[0], &splits[1]], &[], &[], None, None));
    assert_has(&error, &["validation.jsonl, row 0 (line 1)", "train.csv"]);
}

#[test]
fn decimals_and_texts_as_bytes() {
    let decimals = Decimal128Array::from(vec![1, 25, 30]);
    let decimals = decimals.with_precision_and_scale(5, 1).unwrap();
    let found = in_parquet(&typed(Arc::new(decimals)), None).unwrap();
    let values = vec![0.1, 2.5, 3.0];
    assert_eq!(found.labels, [Labels::Values { width: 1, values }]);
    let texts = BinaryArray::from(vec![&b"a"[..], "é".as_bytes()]);
    let batch = record_batch(vec![
        ("text", Arc::new(texts) as ArrayRef),
        (
            "label",
            Arc::new(BinaryArray::from(vec![&b"no"[..], b"yes"])),
        ),
    ]);
    let folder = folder(&[]);
    let place = folder.path().join("x.parquet");
    write_parquet(&place, &batch.schema(), &[], [Ok(batch)]).unwrap();
    let split = Dataset::open(path(&folder, "x.parquet"))
        .unwrap()
        .split("train")
        .unwrap();
    assert_eq!(crate::common::texts(&split), ["a", "é"]);
    assert_eq!(
        names(&infer(&[&split], &[], &[], None, None).unwrap()),
        ["no", "yes"]
    );
}

/// More digits than an `f32` holds.
#[test]
fn numbers_keep_all_digits() {
    let found = csv(&["16777217", "1000000000.1"], &[], REGRESSION).unwrap();
    let values = vec![16_777_217.0, 1_000_000_000.1];
    let labels = Labels::Values {
        width: 1,
        values: values.clone(),
    };
    // The digits also survive the token file.
    let (_folder, split) = open("x.csv", "text,label\na,16777217\nb,1000000000.1\n");
    let schema = crate::common::regression(&["label"]);
    let data = crate::common::build(&split.unwrap(), Some(&schema), 8, None).unwrap();
    assert_eq!(data.labels(&[0, 1]).unwrap(), labels);
    assert_eq!(found.labels, [Labels::Values { width: 1, values }]);
}

#[test]
fn hidden_labels() {
    let folder = folder(&[]);
    let hidden = |labels: &[Option<i64>]| {
        let file = folder.path().join("x.parquet");
        parquet(&file, &vec!["a"; labels.len()], labels, &["no", "yes"]);
        let split = Dataset::open(path(&folder, "x.parquet"))
            .unwrap()
            .split("train")
            .unwrap();
        let columns = Columns::resolve(&split, &[], &[], true).unwrap();
        split.labels_are_hidden(&columns).unwrap()
    };
    assert!(hidden(&[Some(-1), Some(-1)]));
    assert!(!hidden(&[Some(-1), Some(0)]));
    assert!(!hidden(&[Some(1), Some(-1)]));
}
