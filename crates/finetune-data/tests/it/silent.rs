//! Nothing is ever silently wrong. For files of every format with labels of every form, alone and
//! side by side, either training sees the true class (or number) of every row, or the data set is
//! rejected.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use finetune_data::arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray, ListBuilder, RecordBatch,
    StringArray, StringBuilder,
};
use finetune_data::arrow::datatypes::{Float64Type, Int64Type};
use finetune_data::arrow::ipc::writer::FileWriter;
use finetune_data::{
    Columns, Dataset, Inferred, LabelCells, LabelDecoder, Labels, ProblemType, Result, Split,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::record_batch;

const NAMES: [&str; 3] = ["negative", "neutral", "positive"];
const ROWS: usize = 24;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Format {
    Csv,
    Tsv,
    JsonLines,
    Parquet,
    Arrow,
}

const FORMATS: [Format; 5] = [
    Format::Csv,
    Format::Tsv,
    Format::JsonLines,
    Format::Parquet,
    Format::Arrow,
];

impl Format {
    fn extension(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Tsv => "tsv",
            Format::JsonLines => "jsonl",
            Format::Parquet => "parquet",
            Format::Arrow => "arrow",
        }
    }

    fn is_typed(self) -> bool {
        matches!(self, Format::Parquet | Format::Arrow)
    }
}

/// The form in which a file holds its labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    Names,
    Integers,
    WholeFloats,
    /// Integers, one of them written as `1.0`.
    OneFloat,
    Booleans,
    /// Indices into names in the metadata, in this order.
    ClassLabel([usize; 3]),
    OneHot,
    OneHotOfTwo,
    MultiHot,
    MultiHotOfTwo,
    MultiHotFloat,
    IndexLists,
    NameLists,
    ClassLabelLists([usize; 3]),
    Separated,
    Columns,
    FloatColumns,
    Scores,
    ScoreLists,
    ScoreColumns,
}

const FORMS: [Form; 22] = [
    Form::Names,
    Form::Integers,
    Form::WholeFloats,
    Form::OneFloat,
    Form::Booleans,
    Form::ClassLabel([0, 1, 2]),
    Form::ClassLabel([2, 0, 1]),
    Form::OneHot,
    Form::OneHotOfTwo,
    Form::MultiHot,
    Form::MultiHotOfTwo,
    Form::MultiHotFloat,
    Form::IndexLists,
    Form::NameLists,
    Form::ClassLabelLists([0, 1, 2]),
    Form::ClassLabelLists([1, 2, 0]),
    Form::Separated,
    Form::Columns,
    Form::FloatColumns,
    Form::Scores,
    Form::ScoreLists,
    Form::ScoreColumns,
];

/// The true label of a row.
#[derive(Clone, Debug, PartialEq)]
enum Truth {
    Classes(BTreeSet<String>),
    Numbers(Vec<f64>),
}

impl Form {
    fn fits(self, format: Format) -> bool {
        match self {
            Form::ClassLabel(_) | Form::ClassLabelLists(_) => format.is_typed(),
            // A column has a single type there.
            Form::OneFloat => !format.is_typed(),
            _ => true,
        }
    }

    fn several_columns(self) -> bool {
        matches!(
            self,
            Form::Columns | Form::FloatColumns | Form::ScoreColumns
        )
    }

    /// The classes of row `i`, by their indices.
    fn indices(self, i: usize) -> Vec<usize> {
        let first = i * 7 % 3;
        match self {
            Form::Booleans | Form::OneHotOfTwo => vec![i * 7 % 5 % 2],
            Form::MultiHotOfTwo => [vec![0], vec![1], vec![0, 1], vec![]][i % 4].clone(),
            Form::MultiHot
            | Form::MultiHotFloat
            | Form::IndexLists
            | Form::NameLists
            | Form::ClassLabelLists(_)
            | Form::Separated
            | Form::Columns
            | Form::FloatColumns => match i % 5 {
                0 => vec![first, (first + 1) % 3],
                1 => vec![],
                _ => vec![first],
            },
            _ => vec![first],
        }
    }

    fn score(i: usize) -> f64 {
        0.1 + i as f64 * 1.7
    }

    fn truth(self, i: usize) -> Truth {
        let named = |names: &[&str]| {
            let indices = self.indices(i).into_iter();
            Truth::Classes(indices.map(|index| names[index].to_owned()).collect())
        };
        match self {
            Form::Scores => Truth::Numbers(vec![Self::score(i)]),
            Form::ScoreLists | Form::ScoreColumns => {
                Truth::Numbers(vec![Self::score(i), -Self::score(i), 3.0])
            }
            Form::Booleans => named(&["false", "true"]),
            Form::Names
            | Form::ClassLabel(_)
            | Form::NameLists
            | Form::ClassLabelLists(_)
            | Form::Separated
            | Form::Columns
            | Form::FloatColumns => named(&NAMES),
            _ => named(&["0", "1", "2"]),
        }
    }

    /// The label as JSON.
    fn json(self, i: usize) -> Value {
        let indices = self.indices(i);
        let marks = |width: usize| {
            (0..width)
                .map(|c| u8::from(indices.contains(&c)))
                .collect::<Vec<_>>()
        };
        let names: Vec<_> = indices.iter().map(|&index| NAMES[index]).collect();
        match self {
            Form::Names => json!(names[0]),
            Form::Integers => json!(indices[0]),
            Form::OneFloat if i == 10 => json!(indices[0] as f64),
            Form::OneFloat => json!(indices[0]),
            Form::WholeFloats => json!(indices[0] as f64),
            Form::Booleans => json!(indices[0] == 1),
            Form::ClassLabel(order) => json!(place(order, indices[0])),
            Form::OneHot | Form::MultiHot => json!(marks(3)),
            Form::OneHotOfTwo | Form::MultiHotOfTwo => json!(marks(2)),
            Form::MultiHotFloat => json!(marks(3).into_iter().map(f64::from).collect::<Vec<_>>()),
            Form::IndexLists => json!(indices),
            Form::NameLists => json!(names),
            Form::ClassLabelLists(order) => {
                json!(
                    indices
                        .iter()
                        .map(|&index| place(order, index))
                        .collect::<Vec<_>>()
                )
            }
            Form::Separated => json!(names.join("; ")),
            Form::Scores => json!(Self::score(i)),
            Form::ScoreLists => json!([Self::score(i), -Self::score(i), 3.0]),
            Form::Columns | Form::FloatColumns | Form::ScoreColumns => Value::Null,
        }
    }

    /// The label columns of row `i`.
    fn row(self, i: usize) -> Vec<(&'static str, Value)> {
        let mark = |class: usize| usize::from(self.indices(i).contains(&class));
        let score = |class: usize| [Self::score(i), -Self::score(i), 3.0][class];
        match self {
            Form::Columns => (0..3).map(|c| (NAMES[c], json!(mark(c)))).collect(),
            Form::FloatColumns => (0..3).map(|c| (NAMES[c], json!(mark(c) as f64))).collect(),
            Form::ScoreColumns => (0..3).map(|c| (NAMES[c], json!(score(c)))).collect(),
            form => vec![("label", form.json(i))],
        }
    }
}

fn place(order: [usize; 3], class: usize) -> usize {
    order.iter().position(|&c| c == class).unwrap()
}

/// A value as CSV: texts quoted, booleans as Python writes them.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => other.to_string(),
    };
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn write(path: &Path, format: Format, form: Form, rows: std::ops::Range<usize>) {
    let labels: Vec<_> = rows.clone().map(|i| form.row(i)).collect();
    match format {
        Format::Csv | Format::Tsv => {
            let comma = if format == Format::Csv { "," } else { "\t" };
            let names = labels[0].iter().map(|(name, _)| *name);
            let mut text = ["text"]
                .into_iter()
                .chain(names)
                .collect::<Vec<_>>()
                .join(comma)
                + "\n";
            for (i, row) in rows.zip(&labels) {
                let cells = row.iter().map(|(_, value)| cell(value));
                let cells = [format!("\"row {i}\"")].into_iter().chain(cells);
                text += &(cells.collect::<Vec<_>>().join(comma) + "\n");
            }
            std::fs::write(path, text).unwrap();
        }
        Format::JsonLines => {
            let line = |(i, row): (usize, &Vec<(&str, Value)>)| {
                let mut object = json!({"text": format!("row {i}")});
                for (name, value) in row {
                    object[*name] = value.clone();
                }
                format!("{object}\n")
            };
            let text: String = rows.zip(&labels).map(line).collect();
            std::fs::write(path, text).unwrap();
        }
        Format::Parquet | Format::Arrow => {
            let texts: Vec<_> = rows.map(|i| format!("row {i}")).collect();
            let mut columns = vec![("text", Arc::new(StringArray::from(texts)) as ArrayRef)];
            for column in 0..labels[0].len() {
                let values: Vec<_> = labels.iter().map(|row| &row[column].1).collect();
                columns.push((labels[0][column].0, array(form, &values)));
            }
            typed(path, format, record_batch(columns), form);
        }
    }
}

fn typed(path: &Path, format: Format, batch: RecordBatch, form: Form) {
    let names = |order: [usize; 3]| order.map(|class| NAMES[class]);
    let feature = match form {
        Form::ClassLabel(order) => Some(json!({"names": names(order), "_type": "ClassLabel"})),
        Form::ClassLabelLists(order) => Some(
            json!({"feature": {"names": names(order), "_type": "ClassLabel"}, "_type": "List"}),
        ),
        _ => None,
    };
    let mut schema = batch.schema().as_ref().clone();
    if let Some(feature) = feature {
        let features = json!({"info": {"features": {"label": feature}}}).to_string();
        schema = schema.with_metadata([("huggingface".to_owned(), features)].into());
    }
    let schema = Arc::new(schema);
    let batch = RecordBatch::try_new(schema.clone(), batch.columns().to_vec()).unwrap();
    let out = File::create(path).unwrap();
    if format == Format::Parquet {
        let mut writer = parquet::arrow::ArrowWriter::try_new(out, schema, None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    } else {
        let mut writer = FileWriter::try_new(out, &schema).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
    }
}

fn array(form: Form, values: &[&Value]) -> ArrayRef {
    let list = |value: &Value| value.as_array().unwrap().clone();
    match form {
        Form::Names | Form::Separated => {
            let texts: Vec<_> = values.iter().map(|v| v.as_str().unwrap()).collect();
            Arc::new(StringArray::from(texts))
        }
        Form::Booleans => {
            let bools: Vec<_> = values.iter().map(|v| v.as_bool().unwrap()).collect();
            Arc::new(BooleanArray::from(bools))
        }
        Form::NameLists => {
            let mut lists = ListBuilder::new(StringBuilder::new());
            for value in values {
                for name in list(value) {
                    lists.values().append_value(name.as_str().unwrap());
                }
                lists.append(true);
            }
            Arc::new(lists.finish())
        }
        Form::OneHot
        | Form::OneHotOfTwo
        | Form::MultiHot
        | Form::MultiHotOfTwo
        | Form::IndexLists
        | Form::ClassLabelLists(_) => {
            let lists = values
                .iter()
                .map(|v| Some(list(v).into_iter().map(|item| item.as_i64())));
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists))
        }
        Form::MultiHotFloat | Form::ScoreLists => {
            let lists = values
                .iter()
                .map(|v| Some(list(v).into_iter().map(|item| item.as_f64())));
            Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(lists))
        }
        Form::WholeFloats | Form::Scores | Form::FloatColumns | Form::ScoreColumns => {
            let numbers: Vec<_> = values.iter().map(|v| v.as_f64().unwrap()).collect();
            Arc::new(Float64Array::from(numbers))
        }
        Form::Integers | Form::OneFloat | Form::ClassLabel(_) | Form::Columns => {
            let numbers: Vec<_> = values.iter().map(|v| v.as_i64().unwrap()).collect();
            Arc::new(Int64Array::from(numbers))
        }
    }
}

/// What training sees of all rows of the splits.
fn seen(
    splits: &[&Split],
    form: Form,
    separated: bool,
    names: Option<&[String]>,
    problem_type: Option<ProblemType>,
) -> Result<Vec<Truth>> {
    let flags: &[&str] = if form.several_columns() { &NAMES } else { &[] };
    let flags: Vec<_> = flags.iter().map(|name| (*name).to_owned()).collect();
    let mut columns = Columns::resolve(splits[0], &[], &flags, true)?;
    columns.cells = LabelCells {
        separator: separated.then_some(';'),
        ..LabelCells::default()
    };
    let Inferred {
        task: schema,
        columns,
        ..
    } = Inferred::of(splits, &columns, names, problem_type)?;
    let mut rows = Vec::new();
    for split in splits {
        let decoder = LabelDecoder::new(&schema, split, &columns)?;
        let label: Vec<_> = columns.label.iter().map(String::as_str).collect();
        for batch in split.read(&label)? {
            let batch = batch?;
            let labels = decoder.decode(&batch)?;
            for row in 0..batch.batch.num_rows() {
                rows.push(match &labels {
                    Labels::Values { width, values } => {
                        Truth::Numbers(values[row * width..(row + 1) * width].to_vec())
                    }
                    labels => {
                        let classes = labels.classes_of(row);
                        Truth::Classes(classes.map(|class| schema.names()[class].clone()).collect())
                    }
                });
            }
        }
    }
    Ok(rows)
}

/// Compares names, ignoring the case of booleans.
fn same(found: &Truth, expected: &Truth, form: Form) -> bool {
    match (found, expected) {
        (Truth::Classes(found), Truth::Classes(expected)) if form == Form::Booleans => found
            .iter()
            .map(|name| name.to_lowercase())
            .eq(expected.iter().cloned()),
        _ => found == expected,
    }
}

/// Infers what the labels of two files mean together, if anything.
fn fit(a: (Form, Format), b: (Form, Format)) -> bool {
    use Form::*;
    let kind = |form: Form| match form {
        Names | ClassLabel(_) => "names",
        Integers | WholeFloats | OneFloat => "integers",
        OneHot | MultiHot | MultiHotFloat => "marks",
        OneHotOfTwo | MultiHotOfTwo => "two marks",
        NameLists | ClassLabelLists(_) => "name lists",
        Columns | FloatColumns => "columns",
        Booleans => "booleans",
        IndexLists => "index lists",
        Separated => "separated",
        Scores => "scores",
        ScoreLists => "score lists",
        ScoreColumns => "score columns",
    };
    // Booleans are texts there, as names are.
    let text = |(form, format): (Form, Format)| {
        form == Booleans && matches!(format, Format::Csv | Format::Tsv)
    };
    let named = |form| kind(form) == "names";
    // With three classes, each row tells by itself whether it holds indicators or indices.
    let marks = |form| matches!(form, OneHot | MultiHot);
    if (marks(a.0) && b.0 == IndexLists) || (marks(b.0) && a.0 == IndexLists) {
        return true;
    }
    kind(a.0) == kind(b.0) || (text(a) && named(b.0)) || (text(b) && named(a.0))
}

#[derive(Default)]
struct Tally {
    right: u64,
    refused: BTreeMap<String, u64>,
}

impl Tally {
    /// Records an outcome, which must be right (all rows as they truly are) or rejected.
    fn add(
        &mut self,
        what: &str,
        expected: &[(Truth, Form)],
        fits: bool,
        found: Result<Vec<Truth>>,
    ) {
        match found {
            Err(error) => {
                assert!(!fits, "{what}: refused: {error}");
                *self
                    .refused
                    .entry(what.split(" in ").next().unwrap().to_owned())
                    .or_default() += 1;
            }
            Ok(found) => {
                assert_eq!(found.len(), expected.len(), "{what}");
                for (row, (found, (expected, form))) in found.iter().zip(expected).enumerate() {
                    assert!(
                        same(found, expected, *form),
                        "{what}: row {row} is silently {found:?} instead of {expected:?}"
                    );
                }
                assert!(fits, "{what}: should have been refused");
                self.right += 1;
            }
        }
    }
}

fn truths(form: Form, rows: std::ops::Range<usize>) -> Vec<(Truth, Form)> {
    rows.map(|i| (form.truth(i), form)).collect()
}

fn open(folder: &TempDir) -> Dataset {
    Dataset::open(folder.path().to_str().unwrap()).unwrap()
}

/// Every form in every format: one file, one file per split, files of one split.
#[test]
fn every_form_in_every_format() {
    let mut tally = Tally::default();
    for form in FORMS {
        let separated = form == Form::Separated;
        for first in FORMATS.into_iter().filter(|&format| form.fits(format)) {
            let folder = tempfile::tempdir().unwrap();
            let train = format!("train.{}", first.extension());
            write(&folder.path().join(train), first, form, 0..ROWS);
            let split = open(&folder).split("train").unwrap();
            let found = seen(&[&split], form, separated, None, None);
            tally.add(
                &format!("{form:?} in {first:?}"),
                &truths(form, 0..ROWS),
                true,
                found,
            );
            for second in FORMATS.into_iter().filter(|&format| form.fits(format)) {
                let other = match form {
                    Form::ClassLabel([a, b, c]) => Form::ClassLabel([c, a, b]),
                    Form::ClassLabelLists([a, b, c]) => Form::ClassLabelLists([b, a, c]),
                    form => form,
                };
                both(&mut tally, &folder, (form, first), (other, second));
            }
        }
    }
    println!("{} data sets of one form, all right", tally.right);
    assert!(tally.right > 900 && tally.refused.is_empty());
}

/// Files of two forms side by side are read by name if that is possible, and otherwise rejected.
#[test]
fn two_forms_beside_each_other() {
    let mut tally = Tally::default();
    for (number, first) in FORMS.into_iter().enumerate() {
        for (other, second) in FORMS
            .into_iter()
            .enumerate()
            .filter(|(other, _)| *other != number)
        {
            if first.several_columns()
                || second.several_columns()
                || second == Form::Separated
                || first == Form::Separated
            {
                continue;
            }
            for turn in 0..3 {
                let fitting = |form: Form, by: usize| {
                    let formats = FORMATS.into_iter().filter(|&format| form.fits(format));
                    formats.cycle().nth(by).unwrap()
                };
                let first = (first, fitting(first, number + turn));
                let second = (second, fitting(second, other + 2 * turn));
                let folder = tempfile::tempdir().unwrap();
                let name = format!("train.{}", first.1.extension());
                write(&folder.path().join(name), first.1, first.0, 0..ROWS);
                both(&mut tally, &folder, first, second);
            }
        }
    }
    let refused: u64 = tally.refused.values().sum();
    println!(
        "{} data sets of two forms right, {refused} refused ({} pairs of forms)",
        tally.right,
        tally.refused.len()
    );
    assert!(tally.right + refused > 1000);
}

/// The training file of `folder` and a second one, as validation and as part of the same split.
fn both(tally: &mut Tally, folder: &TempDir, first: (Form, Format), second: (Form, Format)) {
    let what = format!(
        "{:?} and {:?} in {:?} and {:?}",
        first.0, second.0, first.1, second.1
    );
    // Only rows of two of the three classes.
    let rows = ROWS..ROWS + 20;
    let name = format!("validation.{}", second.1.extension());
    let path = folder.path().join(name);
    write(&path, second.1, second.0, rows.clone());
    let dataset = open(folder);
    let splits = ["train", "validation"].map(|name| dataset.split(name).unwrap());
    let expected = [truths(first.0, 0..ROWS), truths(second.0, rows)].concat();
    let (expected, fits) = as_seen(expected, first, second);
    let separated = first.0 == Form::Separated;
    let found = seen(&[&splits[0], &splits[1]], first.0, separated, None, None);
    tally.add(&what, &expected, fits, found);
    let sum = dataset.split("train+validation");
    let found = sum.and_then(|sum| seen(&[&sum], first.0, separated, None, None));
    tally.add(&format!("{what}, as one split"), &expected, fits, found);
    std::fs::remove_file(path).unwrap();
}

/// Scores beside whole numbers turn these into numbers to predict.
fn as_seen(
    expected: Vec<(Truth, Form)>,
    a: (Form, Format),
    b: (Form, Format),
) -> (Vec<(Truth, Form)>, bool) {
    let whole = |form| matches!(form, Form::Integers | Form::WholeFloats | Form::OneFloat);
    let numbers = (a.0 == Form::Scores && whole(b.0)) || (b.0 == Form::Scores && whole(a.0));
    if !numbers {
        return (expected, fit(a, b));
    }
    let number = |(truth, form): (Truth, Form)| match truth {
        Truth::Classes(classes) => {
            let number = classes.first().unwrap().parse().unwrap();
            (Truth::Numbers(vec![number]), form)
        }
        truth => (truth, form),
    };
    (expected.into_iter().map(number).collect(), true)
}

fn in_lower_case(truth: Truth) -> Truth {
    match truth {
        Truth::Classes(names) => {
            Truth::Classes(names.iter().map(|name| name.to_lowercase()).collect())
        }
        numbers => numbers,
    }
}

/// A model with its classes in another order or case reads every form by name.
#[test]
fn a_model_with_its_classes_in_another_order() {
    let mut tally = Tally::default();
    let single = ProblemType::SingleLabelClassification;
    let multi = ProblemType::MultiLabelClassification;
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        for (form, problem_type, names) in [
            (Form::Names, single, NAMES),
            (Form::ClassLabel([0, 1, 2]), single, NAMES),
            (Form::ClassLabel([1, 0, 2]), single, NAMES),
            (Form::NameLists, multi, NAMES),
            (Form::ClassLabelLists([2, 1, 0]), multi, NAMES),
            (Form::Separated, multi, NAMES),
            (Form::Columns, multi, NAMES),
            (Form::FloatColumns, multi, NAMES),
            (Form::Integers, single, ["0", "1", "2"]),
            (Form::WholeFloats, single, ["0", "1", "2"]),
            (Form::OneFloat, single, ["0", "1", "2"]),
        ] {
            let names = order.map(|class| names[class].to_owned());
            let capitals = names.each_ref().map(|name| name.to_uppercase());
            for format in FORMATS.into_iter().filter(|&format| form.fits(format)) {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join(format!("train.{}", format.extension()));
                write(&path, format, form, 0..ROWS);
                let split = open(&folder).split("train").unwrap();
                let separated = form == Form::Separated;
                let found = seen(&[&split], form, separated, Some(&names), Some(problem_type));
                let what = format!("{form:?} for {names:?} in {format:?}");
                tally.add(&what, &truths(form, 0..ROWS), true, found);
                let found = seen(
                    &[&split],
                    form,
                    separated,
                    Some(&capitals),
                    Some(problem_type),
                );
                let lower = found.map(|rows| rows.into_iter().map(in_lower_case).collect());
                let what = format!("{what}, in capitals");
                tally.add(&what, &truths(form, 0..ROWS), true, lower);
            }
        }
    }
    println!(
        "{} data sets read by a model's names, all right",
        tally.right
    );
    assert!(tally.right > 200);
}
