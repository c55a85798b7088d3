//! Multi-label classification and regression with several outputs, from lists and columns in every
//! format.

use std::fs::File;
use std::sync::Arc;

use finetune_data::arrow::array::{
    ArrayRef, BooleanArray, FixedSizeListArray, Float32Array, Int64Array, LargeListArray,
    ListArray, RecordBatch, StringArray,
};
use finetune_data::arrow::datatypes::{Float32Type, Int32Type, Int64Type};
use finetune_data::arrow::ipc::writer::{FileWriter, StreamWriter};
use finetune_data::{
    Columns, Dataset, Labels, ProblemType, Result, Split, Task, TokenizeOptions, TokenizedDataset,
    infer_task, write_parquet,
};
use serde_json::json;
use tempfile::TempDir;

use crate::common::{assert_has, folder, message, open, path, record_batch, regression, tokenizer};

const MULTI: Option<ProblemType> = Some(ProblemType::MultiLabelClassification);
const SINGLE: Option<ProblemType> = Some(ProblemType::SingleLabelClassification);
const REGRESSION: Option<ProblemType> = Some(ProblemType::Regression);

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn multi(names: &[&str]) -> Task {
    Task::MultiLabel(strings(names))
}

fn marks(width: usize, values: &[f32]) -> Labels {
    Labels::MultiLabel {
        width,
        values: values.iter().map(|&mark| mark != 0.0).collect(),
    }
}

fn numbers(width: usize, values: &[f64]) -> Labels {
    Labels::Values {
        width,
        values: values.to_vec(),
    }
}

/// What the user says about the labels.
#[derive(Clone, Copy, Default)]
struct Told<'a> {
    columns: &'a [&'a str],
    names: Option<&'a [&'a str]>,
    problem_type: Option<ProblemType>,
}

fn schema_of(split: &Split, told: Told<'_>) -> Result<(Columns, Task)> {
    let columns = Columns::resolve(split, &[], &strings(told.columns), true)?;
    let names = told.names.map(strings);
    let schema = infer_task(&[split], &columns, names.as_deref(), told.problem_type)?;
    Ok((columns, schema))
}

fn tokenize(split: &Split, columns: &Columns, schema: &Task) -> Result<TokenizedDataset> {
    let options = TokenizeOptions {
        max_length: 16,
        cache_dir: None,
    };
    let keep_going = |_, _| std::ops::ControlFlow::Continue(());
    TokenizedDataset::build(
        split,
        columns,
        Some(schema),
        &tokenizer(),
        &options,
        keep_going,
    )
}

/// Returns the inferred task, and the labels of all rows decoded with it.
fn run(split: Result<Split>, told: Told<'_>) -> Result<(Task, Labels)> {
    let split = split?;
    let (columns, schema) = schema_of(&split, told)?;
    let data = tokenize(&split, &columns, &schema)?;
    let all: Vec<u64> = (0..data.len()).collect();
    let labels = data.batch(&all)?.labels;
    assert_eq!(data.labels(&all)?, labels);
    Ok((schema, labels))
}

/// Reads one file with its labels by convention or as specified.
fn file(name: &str, content: &str, told: Told<'_>) -> Result<(Task, Labels)> {
    let (_folder, split) = open(name, content);
    run(split, told)
}

/// JSON lines with `labels`.
fn jsonl(labels: &[serde_json::Value], told: Told<'_>) -> Result<(Task, Labels)> {
    let line = |label| format!("{}\n", json!({"text": "x", "labels": label}));
    let content: String = labels.iter().map(line).collect();
    file("x.jsonl", &content, told)
}

/// CSV with one quoted label per row.
fn csv(labels: &[&str], told: Told<'_>) -> Result<(Task, Labels)> {
    let line = |label: &&str| format!("x,\"{}\"\n", label.replace('"', "\"\""));
    let content: String = labels.iter().map(line).collect();
    file("x.csv", &format!("text,labels\n{content}"), told)
}

const LISTS: [&[i64]; 4] = [&[2], &[0, 1], &[], &[2, 0]];
const MARKS: [f32; 12] = [0., 0., 1., 1., 1., 0., 0., 0., 0., 1., 0., 1.];

fn int_lists<T: From<ListArray>>() -> T {
    let lists = LISTS.map(|list| Some(list.iter().copied().map(Some)));
    T::from(ListArray::from_iter_primitive::<Int64Type, _, _>(lists))
}

fn with_text(labels: ArrayRef) -> RecordBatch {
    let texts = StringArray::from(vec!["x"; labels.len()]);
    record_batch(vec![("text", Arc::new(texts)), ("labels", labels)])
}

fn write(folder: &TempDir, name: &str, batch: &RecordBatch) -> Result<Split> {
    let place = folder.path().join(name);
    if name.ends_with(".parquet") {
        write_parquet(&place, &batch.schema(), &[], [Ok(batch.clone())])?;
    } else if name.ends_with(".arrow") {
        let mut writer =
            StreamWriter::try_new(File::create(place).unwrap(), &batch.schema()).unwrap();
        writer.write(batch).unwrap();
        writer.finish().unwrap();
    } else {
        let mut writer =
            FileWriter::try_new(File::create(place).unwrap(), &batch.schema()).unwrap();
        writer.write(batch).unwrap();
        writer.finish().unwrap();
    }
    Dataset::open(path(folder, name))?.split("train")
}

/// Lists of class indices give the same labels from every format and every Arrow list type.
#[test]
fn lists_of_indices_in_every_format() {
    let expected = (multi(&["0", "1", "2"]), marks(3, &MARKS));
    let lines = LISTS.map(|list| json!(list));
    assert_eq!(jsonl(&lines, Told::default()).unwrap(), expected);
    let fields = lines.each_ref().map(ToString::to_string);
    let fields = fields.each_ref().map(String::as_str);
    assert_eq!(csv(&fields, Told::default()).unwrap(), expected);

    let folder = folder(&[]);
    let large = LISTS.map(|list| Some(list.iter().map(|&i| Some(i as i32))));
    let large = LargeListArray::from_iter_primitive::<Int32Type, _, _>(large);
    for (name, labels) in [
        ("a.parquet", Arc::new(int_lists::<ListArray>()) as ArrayRef),
        ("b.parquet", Arc::new(large.clone())),
        ("c.arrow", Arc::new(int_lists::<ListArray>())),
        ("d.feather", Arc::new(large)),
    ] {
        let split = write(&folder, name, &with_text(labels));
        assert_eq!(run(split, Told::default()).unwrap(), expected, "{name}");
    }
    // Indices with given names, and a column without a single label.
    let names = Told {
        names: Some(&["a", "b", "c"]),
        ..Told::default()
    };
    let found = jsonl(&lines, names).unwrap();
    assert_eq!(found, (multi(&["a", "b", "c"]), marks(3, &MARKS)));
    let found = jsonl(&[json!([]), json!([])], names).unwrap();
    assert_eq!(found.1, marks(3, &[0.; 6]));
    let error = jsonl(&[json!([])], Told::default());
    assert_has(&message(error), &["0 classes", "at least one"]);
}

/// Class names in the `huggingface` metadata, as written by versions of `datasets` before and since
/// 4.0.
#[test]
fn names_in_the_metadata() {
    let folder = folder(&[]);
    let classes = json!({"names": ["joy", "anger", "fear"], "_type": "ClassLabel"});
    let batch = with_text(Arc::new(int_lists::<ListArray>()));
    let split = |kind: &str, name: &str| {
        let feature = json!({"feature": classes, "_type": kind});
        let features = json!({"info": {"features": {"labels": feature}}});
        let metadata = [("huggingface".to_owned(), features.to_string())];
        let schema = batch.schema().as_ref().clone();
        let schema = Arc::new(schema.with_metadata(metadata.into()));
        let batch = RecordBatch::try_new(schema.clone(), batch.columns().to_vec()).unwrap();
        let out = File::create(folder.path().join(name)).unwrap();
        let mut writer = parquet::arrow::ArrowWriter::try_new(out, schema, None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        Dataset::open(path(&folder, name))?.split("train")
    };
    for (kind, name) in [("Sequence", "old.parquet"), ("List", "new.parquet")] {
        let found = run(split(kind, name), Told::default()).unwrap();
        assert_eq!(found, (multi(&["joy", "anger", "fear"]), marks(3, &MARKS)));
    }
    // ParquetSink writes the same metadata.
    let place = folder.path().join("ours.parquet");
    let names = vec![("labels".to_owned(), strings(&["joy", "anger", "fear"]))];
    write_parquet(&place, &batch.schema(), &names, [Ok(batch.clone())]).unwrap();
    let ours = Dataset::open_file(&place).unwrap().split("train").unwrap();
    let found = run(Ok(ours.clone()), Told::default()).unwrap();
    assert_eq!(found, (multi(&["joy", "anger", "fear"]), marks(3, &MARKS)));
    // A model with its classes in another order.
    let told = Told {
        names: Some(&["fear", "anger", "joy"]),
        ..Told::default()
    };
    let reversed: Vec<f32> = MARKS
        .chunks(3)
        .flat_map(|row| [row[2], row[1], row[0]])
        .collect();
    assert_eq!(run(Ok(ours.clone()), told).unwrap().1, marks(3, &reversed));
    let told = Told {
        names: Some(&["a", "b"]),
        ..Told::default()
    };
    assert_has(
        &message(run(Ok(ours), told)),
        &["(joy, anger, fear)", "class names (a, b)"],
    );
}

#[test]
fn lists_of_names() {
    let lists = [json!(["joy", "anger"]), json!(["fear"]), json!([])];
    let expected = (
        multi(&["anger", "fear", "joy"]),
        marks(3, &[1., 0., 1., 0., 1., 0., 0., 0., 0.]),
    );
    assert_eq!(jsonl(&lists, Told::default()).unwrap(), expected);
    let fields = ["[\"joy\", \"anger\"]", " [\"fear\"]", "[]"];
    assert_eq!(csv(&fields, Told::default()).unwrap(), expected);
    let told = Told {
        names: Some(&["joy", "anger", "sadness"]),
        ..Told::default()
    };
    let error = message(csv(&fields, told));
    assert_has(
        &error,
        &[
            "x.csv, row 1 (line 3)",
            "\"fear\"",
            "3 classes (joy, anger, sadness)",
        ],
    );
    let error = message(jsonl(&[json!(["joy", "angry"])], told));
    assert_has(
        &error,
        &[
            "x.jsonl, row 0 (line 1)",
            "\"angry\"",
            "did you mean anger?",
        ],
    );
    // Strings that look like lists are classes if the user says so.
    let told = Told {
        problem_type: SINGLE,
        ..Told::default()
    };
    let found = csv(&["[a]", "[b]"], told).unwrap();
    assert_eq!(found.0, Task::Classes(strings(&["[a]", "[b]"])));
}

#[test]
fn lists_of_numbers() {
    let lists = [json!([0.5, 1.0]), json!([1, 1])];
    let found = jsonl(&lists, Told::default()).unwrap();
    let expected = numbers(2, &[0.5, 1., 1., 1.]);
    assert_eq!(
        found,
        (regression(&["labels_0", "labels_1"]), expected.clone())
    );
    assert_eq!(
        csv(&["[0.5, 1]", "[1, 1.0]"], Told::default()).unwrap(),
        found
    );
    let named = Told {
        names: Some(&["u", "v"]),
        ..Told::default()
    };
    assert_eq!(
        jsonl(&lists, named).unwrap(),
        (regression(&["u", "v"]), expected)
    );
    let one = [json!([0.5]), json!([2.0])];
    let found = jsonl(&one, Told::default()).unwrap();
    assert_eq!(found, (regression(&["labels"]), numbers(1, &[0.5, 2.])));
    // Integers are numbers to predict if the user says so.
    let told = Told {
        problem_type: REGRESSION,
        ..Told::default()
    };
    let found = jsonl(&[json!([3, 4]), json!([5, 5])], told).unwrap();
    assert_eq!(found.1, numbers(2, &[3., 4., 5., 5.]));
    let folder = folder(&[]);
    let fixed = [[0.5, 1.5], [2.5, 3.5]].map(|row| Some(row.map(Some)));
    let fixed = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(fixed, 2);
    let split = write(&folder, "x.parquet", &with_text(Arc::new(fixed)));
    assert_eq!(
        run(split, Told::default()).unwrap().1,
        numbers(2, &[0.5, 1.5, 2.5, 3.5])
    );
}

/// A row with a 0 or 1 for each class: floats on request, booleans always.
#[test]
fn rows_of_zeros_and_ones() {
    let told = Told {
        problem_type: MULTI,
        ..Told::default()
    };
    let expected = marks(3, &[0., 1., 1., 0., 0., 0.]);
    let floats = [json!([0.0, 1.0, 1.0]), json!([0.0, 0.0, 0.0])];
    let found = jsonl(&floats, told).unwrap();
    assert_eq!(found, (multi(&["0", "1", "2"]), expected.clone()));
    let found = csv(&["[0.0, 1.0, 1.0]", "[0.0, 0.0, 0.0]"], told).unwrap();
    assert_eq!(found, (multi(&["0", "1", "2"]), expected.clone()));
    let booleans = [json!([false, true, true]), json!([false, false, false])];
    assert_eq!(jsonl(&booleans, Told::default()).unwrap().1, expected);
    let fields = ["[false, true, true]", "[false, false, false]"];
    assert_eq!(csv(&fields, Told::default()).unwrap().1, expected);
    let named = Told {
        names: Some(&["a", "b", "c"]),
        ..told
    };
    assert_eq!(
        jsonl(&floats, named).unwrap(),
        (multi(&["a", "b", "c"]), expected)
    );
    let named = Told {
        names: Some(&["a", "b"]),
        ..told
    };
    let error = message(jsonl(&floats, named));
    assert_has(&error, &["row 0 (line 1)", "3 values where 2 are expected"]);
    let error = message(jsonl(&[json!([0.0, 0.5])], told));
    assert_has(
        &error,
        &["row 0", "\"0.5\" in column `labels` is not 0 or 1"],
    );
    let error = message(jsonl(&[json!([0.0, 1.0]), json!([])], told));
    assert_has(&error, &["row 1", "0 values where 2 are expected"]);
}

const TOXIC: &str = "id,text,toxic,threat,insult\n1,x,0,1,0\n2,y,1,1,0\n";

#[test]
fn a_column_per_class() {
    let columns: &[&str] = &["toxic", "threat", "insult"];
    let told = Told {
        columns,
        ..Told::default()
    };
    let found = file("x.csv", TOXIC, told).unwrap();
    let expected = (multi(columns), marks(3, &[0., 1., 0., 1., 1., 0.]));
    assert_eq!(found, expected);
    let lines = "{\"text\":\"x\",\"a\":true,\"b\":0}\n{\"text\":\"y\",\"a\":false,\"b\":1}\n";
    let two = Told {
        columns: &["b", "a"],
        ..Told::default()
    };
    let found = file("x.jsonl", lines, two).unwrap();
    assert_eq!(found, (multi(&["b", "a"]), marks(2, &[0., 1., 1., 0.])));
    // The names of a model, in its order and case.
    let model = Told {
        names: Some(&["insult", "Toxic", "threat"]),
        ..told
    };
    let found = file("x.csv", TOXIC, model).unwrap();
    assert_eq!(found.1, marks(3, &[0., 0., 1., 0., 1., 1.]));
    for names in [
        &["x", "y", "z"][..],
        &["toxic", "threat", "spam"],
        &["toxic", "threat"],
    ] {
        let told = Told {
            names: Some(names),
            ..told
        };
        let error = message(file("x.csv", TOXIC, told));
        assert_has(
            &error,
            &["label columns (toxic, threat, insult)", &names.join(", ")],
        );
    }
    // Floats of zeros and ones, which the user says are classes.
    let folder = folder(&[]);
    let batch = record_batch(vec![
        (
            "text",
            Arc::new(StringArray::from(vec!["x", "y"])) as ArrayRef,
        ),
        ("a", Arc::new(Float32Array::from(vec![0.0, 1.0]))),
        ("b", Arc::new(BooleanArray::from(vec![true, false]))),
    ]);
    let split = write(&folder, "x.parquet", &batch);
    let told = Told {
        columns: &["a", "b"],
        names: None,
        problem_type: MULTI,
    };
    assert_eq!(run(split, told).unwrap().1, marks(2, &[0., 1., 1., 0.]));
}

#[test]
fn a_column_per_number() {
    let told = Told {
        columns: &["valence", "arousal"],
        ..Told::default()
    };
    let found = file("x.csv", "text,valence,arousal\nx,0.5,1\ny,-2,3e1\n", told).unwrap();
    let expected = (
        regression(&["valence", "arousal"]),
        numbers(2, &[0.5, 1., -2., 30.]),
    );
    assert_eq!(found, expected);
    let folder = folder(&[]);
    let batch = record_batch(vec![
        (
            "text",
            Arc::new(StringArray::from(vec!["x", "y"])) as ArrayRef,
        ),
        ("valence", Arc::new(Float32Array::from(vec![0.5, -2.0]))),
        ("arousal", Arc::new(Int64Array::from(vec![1, 30]))),
    ]);
    let split = write(&folder, "x.feather", &batch).unwrap();
    assert_eq!(run(Ok(split.clone()), told).unwrap(), expected);
    let swapped = Told {
        names: Some(&["arousal", "valence"]),
        ..told
    };
    assert_eq!(
        run(Ok(split), swapped).unwrap().1,
        numbers(2, &[1., 0.5, 30., -2.])
    );
    // Ratings are neither until the user says what they are.
    let ratings = "text,valence,arousal\nx,1,0\ny,1,5\n";
    let error = message(file("x.csv", ratings, told));
    assert_has(
        &error,
        &[
            "x.csv, row 1 (line 3)",
            "\"5\" in column `arousal`",
            "regression",
        ],
    );
    let told = Told {
        problem_type: REGRESSION,
        ..told
    };
    assert_eq!(
        file("x.csv", ratings, told).unwrap().1,
        numbers(2, &[1., 0., 1., 5.])
    );
}

#[test]
fn errors_name_the_row_and_the_value() {
    let none = Told::default();
    let told = |problem_type| Told {
        problem_type,
        ..none
    };
    let three = Told {
        names: Some(&["a", "b", "c"]),
        ..none
    };
    for (result, parts) in [
        (
            jsonl(&[json!([0]), json!([1, 3])], three),
            &["x.jsonl, row 1 (line 2)", "class index 3", "outside 0..3"][..],
        ),
        (
            jsonl(&[json!([0]), json!([0, 2])], none),
            &["the integers 0,2", "--labels 0,2"],
        ),
        (
            jsonl(&[json!([1, 1])], three),
            &["row 0", "\"b\" twice", "0.0, 1.0"],
        ),
        (
            jsonl(&[json!([0]), json!(null)], none),
            &["row 1 (line 2)", "`labels` is null"],
        ),
        (
            jsonl(&[json!([0]), json!([null, 1])], none),
            &["row 1", "`labels` is null"],
        ),
        (
            jsonl(&[json!([0.5, 1.0]), json!([0.5])], none),
            &["row 1 (line 2)", "1 values where 2 are expected"],
        ),
        (
            jsonl(&[json!([]), json!([0.5])], none),
            &["first row of column `labels` is empty"],
        ),
        (jsonl(&[json!([0.5, null])], none), &["row 0", "null"]),
        (
            jsonl(&[json!([0, "a"])], none),
            &["line 1 has a value of type string", "of type integer"],
        ),
        (
            jsonl(&[json!([[0]])], none),
            &["`labels`", "lists of lists"],
        ),
        (
            jsonl(&[json!([0, 2])], told(SINGLE)),
            &[
                "`labels` holds a list per row (list of int64)",
                "single-label classification needs",
            ],
        ),
        (
            jsonl(&[json!(0), json!(1)], told(MULTI)),
            &["one value per row (int64)", "needs a list per row"],
        ),
        (
            csv(&["joy|anger", "joy"], told(MULTI)),
            &[
                "x.csv, row 0 (line 2)",
                "\"joy|anger\"",
                "a list as text",
                "[0, 3]",
            ],
        ),
        (
            csv(&["[0]", "['joy']"], none),
            &["row 0 (line 2)", "\"0\"", "not a class name"],
        ),
        (
            csv(&["[0]", "2"], none),
            &["row 1 (line 3)", "\"2\"", "not a list"],
        ),
        (
            csv(&["[0.5, 1.5]", "nan"], told(REGRESSION)),
            &["row 1", "\"nan\""],
        ),
        (
            csv(&["1.5", "nan"], told(REGRESSION)),
            &[
                "row 1 (line 3)",
                "\"nan\" in column `labels` is not a finite number",
            ],
        ),
        (
            csv(&["[0.5, 1.5]", "[1, \"x\"]"], told(REGRESSION)),
            &["row 1", "\"x\"", "not a finite number"],
        ),
        (
            csv(
                &["1.5"],
                Told {
                    names: Some(&["a", "b"]),
                    ..told(REGRESSION)
                },
            ),
            &["1 number per row", "2 output names", "(a, b)"],
        ),
        (
            csv(
                &["[\"a\"]"],
                Told {
                    names: Some(&["a", "a"]),
                    ..none
                },
            ),
            &["\"a\" is named twice"],
        ),
    ] {
        let error = message(result);
        assert_has(&error, parts);
        assert!(!error.contains('\n'), "{error}");
    }
    let columns = |columns| Told { columns, ..none };
    let two = columns(&["a", "b"]);
    for (result, parts) in [
        (
            file("x.csv", "text,a,b\nx,0.5,1\ny,nan,1\n", two),
            &["x.csv, row 1 (line 3)", "\"nan\" in column `a`"][..],
        ),
        (
            file("x.csv", "text,a,b\nx,0,1\ny,1,\n", two),
            &["row 1 (line 3)", "`b` is null"],
        ),
        (
            file("x.csv", "text,a,b\nx,0,joy\n", two),
            &["row 0", "\"joy\" in column `b` is not 0 or 1"],
        ),
        (
            file(
                "x.csv",
                TOXIC,
                Told {
                    problem_type: SINGLE,
                    ..columns(&["toxic", "threat"])
                },
            ),
            &["2 label columns", "(toxic, threat)", "single-label"],
        ),
        (
            file("x.jsonl", "{\"text\":\"x\",\"a\":1,\"b\":[1]}\n", two),
            &["`b` holds a list per row", "several label columns need"],
        ),
    ] {
        assert_has(&message(result), parts);
    }
    let folder = folder(&[]);
    let nan = Float32Array::from(vec![1.0, f32::NAN]);
    let split = write(&folder, "x.parquet", &with_text(Arc::new(nan)));
    let error = message(run(split, none));
    assert_has(&error, &["x.parquet, row 1", "\"NaN\"", "no number"]);
}

/// Counts are numbers of rows per label, and the cache stores them and the labels.
#[test]
fn counts_and_cache() {
    let folder = folder(&[("x.csv", TOXIC)]);
    let split = Dataset::open(path(&folder, "x.csv"))
        .unwrap()
        .split("train")
        .unwrap();
    let told = Told {
        columns: &["toxic", "threat", "insult"],
        ..Told::default()
    };
    let (columns, schema) = schema_of(&split, told).unwrap();
    let options = TokenizeOptions {
        max_length: 16,
        cache_dir: Some(folder.path()),
    };
    let keep_going = |_, _| std::ops::ControlFlow::Continue(());
    let build = |schema: &Task| {
        TokenizedDataset::build(
            &split,
            &columns,
            Some(schema),
            &tokenizer(),
            &options,
            keep_going,
        )
        .unwrap()
    };
    let (first, second) = (build(&schema), build(&schema));
    assert_eq!(
        first.build_report().source,
        finetune_data::CacheSource::Tokenized
    );
    assert_eq!(
        second.build_report().source,
        finetune_data::CacheSource::Cached
    );
    assert_eq!(second.class_counts(), Some(vec![1, 2, 0]));
    assert_eq!(
        second.batch(&[1, 0]).unwrap(),
        first.batch(&[1, 0]).unwrap()
    );
    assert_eq!(second.labels(&[1]).unwrap(), marks(3, &[1., 1., 0.]));
    assert_eq!(second.fingerprint(), first.fingerprint());
    // The same columns as numbers to predict are a different data set, without counts.
    let values = build(&regression(told.columns));
    assert_eq!(values.class_counts(), None);
    assert_eq!(values.labels(&[1]).unwrap(), numbers(3, &[1., 1., 0.]));
    assert_ne!(values.fingerprint(), first.fingerprint());
}

/// When labels differ in frequency, rare ones keep their share and none is lost to training.
#[test]
fn stratified_by_the_rarest_label() {
    // Of the 400 rows, all have label 0, every 4th has label 1, every 40th label 2, and one label
    // 3; 40 rows have none.
    let lists = (0..400u32).map(|i| {
        let rare = [(1, i % 4 == 0), (2, i % 40 == 8), (3, i == 17)];
        let rare = rare
            .into_iter()
            .filter(|(_, has)| *has)
            .map(|(label, _)| label);
        let list: Vec<u32> = [0].into_iter().chain(rare).collect();
        if i % 10 == 1 { Vec::new() } else { list }
    });
    let content: String = lists
        .enumerate()
        .map(|(i, list)| format!("{}\n", json!({"text": format!("r{i}"), "labels": list})))
        .collect();
    let (_folder, split) = open("x.jsonl", &content);
    let split = split.unwrap();
    let (columns, schema) = schema_of(&split, Told::default()).unwrap();
    for seed in 0..3 {
        let (train, validation) = split
            .stratified_split(&columns, Some(&schema), 0.2, seed)
            .unwrap();
        assert_eq!((train.len(), validation.len()), (320, 80));
        let counts = |split| {
            tokenize(split, &columns, &schema)
                .unwrap()
                .class_counts()
                .unwrap()
        };
        let (few, many) = (counts(&validation), counts(&train));
        assert_eq!((few[0], few[1], few[2], few[3]), (72, 20, 2, 0));
        assert_eq!((many[0], many[1], many[2], many[3]), (288, 80, 8, 1));
    }
}
