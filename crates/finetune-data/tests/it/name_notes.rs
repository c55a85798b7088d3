//! How labels match names that come from elsewhere, and what is noted about it.

use std::sync::Arc;

use finetune_data::arrow::array::{BooleanArray, Int64Array, StringArray};
use finetune_data::{Columns, Dataset, LabelDecoder, NameNotes, NamesOf, Split, Task};

use crate::common::{assert_has, folder, message, open, parquet, path, record_batch};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn notes(split: &Split, given: &[&str], names_of: NamesOf, by_position: bool) -> NameNotes {
    let columns = Columns::resolve(split, &[], &[], true).unwrap();
    let columns = columns.by_position(by_position);
    let schema = Task::Classes(names(given));
    NameNotes::new(&schema, &[split], &columns, names_of).unwrap()
}

/// The text of the only note.
#[track_caller]
fn only(notes: &NameNotes) -> &str {
    assert_eq!(notes.notes.len(), 1, "{notes:?}");
    notes.notes[0].as_str()
}

#[test]
fn strings_in_another_case() {
    let (_folder, split) = open("x.csv", "text,label\na,neg\nb,POS\nc,\"pos \"\nd,POS\n");
    let split = split.unwrap();
    let found = notes(&split, &["neg", "pos"], NamesOf::Model, false);
    assert_has(
        only(&found),
        &[
            "ignoring case",
            "\"POS\" is \"pos\" (first in",
            "x.csv, row 1 (line 3))",
            "\"pos \" is \"pos\"",
            "row 2 (line 4)",
        ],
    );
    assert!(!found.by_index);
    // Exact matches need no note.
    let exact = notes(&split, &["neg", "POS", "pos "], NamesOf::Model, false);
    assert_eq!(exact, NameNotes::default());
}

#[test]
fn numbers_of_names() {
    let (_folder, text) = open("x.csv", "text,label\na,0\nb,1\n");
    let folder = folder(&[]);
    let file = folder.path().join("x.parquet");
    parquet(&file, &["a", "b"], &[Some(0), Some(1)], &[]);
    let integers = Dataset::open(path(&folder, "x.parquet")).unwrap();
    for split in [text.unwrap(), integers.split("train").unwrap()] {
        let of_model = notes(&split, &["neg", "pos"], NamesOf::Model, false);
        assert_has(
            only(&of_model),
            &["by number", "0 is \"neg\", 1 is \"pos\""],
        );
        // Whoever names the labels of these rows knows what they mean.
        let of_user = notes(&split, &["neg", "pos"], NamesOf::User, false);
        assert!(of_user.by_index && of_user.notes.is_empty(), "{of_user:?}");
        for unnamed in [["0", "1"], ["LABEL_0", "LABEL_1"]] {
            let found = notes(&split, &unnamed, NamesOf::Model, false);
            assert!(found.notes.is_empty(), "{found:?}");
        }
    }
}

#[test]
fn names_of_the_metadata() {
    let folder = folder(&[]);
    let file = folder.path().join("x.parquet");
    parquet(
        &file,
        &["a", "b"],
        &[Some(0), Some(1)],
        &["POSITIVE", "NEGATIVE"],
    );
    let split = Dataset::open(path(&folder, "x.parquet")).unwrap();
    let split = split.split("train").unwrap();
    let found = notes(&split, &["negative", "positive"], NamesOf::Model, false);
    assert_has(
        only(&found),
        &["`label`", "ignoring case", "\"POSITIVE\" is \"positive\""],
    );
    let found = notes(&split, &["good", "bad"], NamesOf::Model, true);
    assert_has(
        only(&found),
        &[
            "by position",
            "\"POSITIVE\" is \"good\", \"NEGATIVE\" is \"bad\"",
        ],
    );
    let columns = Columns::resolve(&split, &[], &[], true).unwrap();
    let schema = Task::Classes(names(&["good", "bad"]));
    let error = NameNotes::new(&schema, &[&split], &columns, NamesOf::Model);
    assert_has(
        &message(error),
        &[
            "(POSITIVE, NEGATIVE)",
            "(good, bad)",
            "--labels-by-position",
        ],
    );
}

/// Columns in another order and case than the names match; other names match by position only on
/// request.
#[test]
fn several_columns() {
    let folder = folder(&[("x.csv", "text,Joy,Anger\na,1,0\nb,1,1\n")]);
    let split = Dataset::open(path(&folder, "x.csv")).unwrap();
    let split = split.split("train").unwrap();
    let columns = Columns::resolve(&split, &[], &names(&["Joy", "Anger"]), true).unwrap();
    let decoded = |given: &[&str], by_position: bool| {
        let schema = Task::MultiLabel(names(given));
        let columns = columns.clone().by_position(by_position);
        let decoder = LabelDecoder::new(&schema, &split, &columns)?;
        let rows = split.read(&["Joy", "Anger"])?.next().unwrap()?;
        let labels = decoder.decode(&rows)?;
        let found = NameNotes::new(&schema, &[&split], &columns, NamesOf::User)?;
        Ok((labels.classes_of(0).collect::<Vec<_>>(), found.notes.len()))
    };
    assert_eq!(decoded(&["Anger", "Joy"], false).unwrap(), (vec![1], 0));
    assert_eq!(decoded(&["anger", "joy"], false).unwrap(), (vec![1], 1));
    assert_eq!(decoded(&["a", "b"], true).unwrap(), (vec![0], 1));
    assert_has(
        &message(decoded(&["a", "b"], false)),
        &["(Joy, Anger)", "(a, b)", "--labels-by-position"],
    );
}

/// Booleans are indices of two names, unless these are `false` and `true`.
#[test]
fn booleans() {
    let folder = folder(&[]);
    let batch = record_batch(vec![
        ("text", Arc::new(StringArray::from(vec!["a", "b"]))),
        ("label", Arc::new(BooleanArray::from(vec![true, false]))),
        ("n", Arc::new(Int64Array::from(vec![1, 2]))),
    ]);
    let file = folder.path().join("x.parquet");
    finetune_data::write_parquet(&file, &batch.schema(), &[], [Ok(batch)]).unwrap();
    let split = Dataset::open(path(&folder, "x.parquet")).unwrap();
    let split = split.split("train").unwrap();
    let found = notes(&split, &["no", "yes"], NamesOf::Model, false);
    assert_has(only(&found), &["0 is \"no\", 1 is \"yes\""]);
    let found = notes(&split, &["False", "True"], NamesOf::Model, false);
    assert!(found.notes.is_empty(), "{found:?}");
}
