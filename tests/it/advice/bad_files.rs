//! Files that give rise to messages, in addition to those of the cases.

use std::path::Path;

use serde_json::json;

use crate::{
    cases::files::{labelled, lines, mnli, named, objects, write},
    samples::{self, CLASSES, Example},
};

/// `train.csv` with one line of it changed: counted from the header's, which is 0.
fn one_line(folder: &Path, rows: &[Example], number: usize, change: impl Fn(&str) -> String) {
    let text = samples::csv(rows);
    let mut all: Vec<_> = text.lines().map(str::to_owned).collect();
    all[number] = change(&all[number]);
    write(folder, "train.csv", all.join("\n") + "\n");
}

pub fn open_quote(folder: &Path, rows: &[Example]) {
    let row = |text: &str, class: usize| format!("{}\t{}\n", text, CLASSES[class]);
    let all = format!("text\tlabel\n{}\"it was good\tpositive\n", lines(rows, row));
    write(folder, "train.tsv", all);
}

pub fn quote_within(folder: &Path, rows: &[Example]) {
    let row = |text: &str, class: usize| format!("{}\t{}\n", text, CLASSES[class]);
    let all = format!("text\tlabel\n{}\"good\" film\tpositive\n", lines(rows, row));
    write(folder, "train.tsv", all);
}

pub fn backslashes(folder: &Path, rows: &[Example]) {
    one_line(folder, rows, 9, |_| {
        "\"it was \\\"good\\\" , or not\",positive".into()
    });
}

pub fn comment_line(folder: &Path, rows: &[Example]) {
    one_line(folder, rows, 9, |line| format!("# said\n{line}"));
}

pub fn comments_within(folder: &Path, rows: &[Example]) {
    one_line(folder, rows, 9, |line| {
        format!("#it was good,positive\n{line}")
    });
    let below = std::fs::read_to_string(folder.join("train.csv")).unwrap();
    write(folder, "train.csv", format!("# exported\n{below}"));
}

pub fn single_quotes(folder: &Path, rows: &[Example]) {
    let row = |text: &str, class: usize| format!("'{}','{}'\n", text, CLASSES[class]);
    write(
        folder,
        "train.csv",
        format!("'text','label'\n{}", lines(rows, row)),
    );
}

/// As Windows writes a word in Western Europe.
pub fn latin(folder: &Path, rows: &[Example]) {
    one_line(folder, rows, 9, |_| "un caf@ bon,positive".into());
    let mut bytes = std::fs::read(folder.join("train.csv")).unwrap();
    let at = bytes.iter().position(|byte| *byte == b'@').unwrap();
    bytes[at] = 0xe9;
    write(folder, "train.csv", bytes);
}

pub fn null_text(folder: &Path, rows: &[Example]) {
    one_line(folder, rows, 9, |_| ",positive".into());
}

pub fn lists_of_names(folder: &Path, rows: &[Example]) {
    objects(folder, rows, "label", |row, class| match row % 3 {
        0 => json!([CLASSES[class], "odd"]),
        _ => json!([CLASSES[class]]),
    });
}

/// JSON arrays as text, and then a cell that is none.
pub fn text_after_a_list(folder: &Path, rows: &[Example]) {
    labelled(folder, rows, |row, class| match row {
        9 => "joy;anger".into(),
        _ => format!("\"[\"\"{}\"\"]\"", CLASSES[class]),
    });
}

pub fn list_after_a_text(folder: &Path, rows: &[Example]) {
    labelled(folder, rows, |row, class| match row {
        9 => "\"[\"\"negative\"\"]\"".into(),
        _ => CLASSES[class].into(),
    });
}

pub fn any_marks(folder: &Path, rows: &[Example]) {
    objects(folder, rows, "label", |row, class| {
        json!([class, 1 - class, u8::from(row % 3 == 0)])
    });
}

/// Columns of marks, of which one is 2.
pub fn marks_to_two(folder: &Path, rows: &[Example]) {
    let line = |(row, (text, class)): (usize, &Example)| {
        let b = if row == 9 { 2 } else { row % 2 };
        format!("\"{text}\",{class},{b}\n")
    };
    let lines: String = rows.iter().enumerate().map(line).collect();
    write(folder, "train.csv", format!("text,a,b\n{lines}"));
}

pub fn halves(folder: &Path, rows: &[Example]) {
    labelled(folder, rows, |row, _| format!("{}.5", row % 5));
}

pub fn odd_floats(folder: &Path, rows: &[Example]) {
    labelled(folder, rows, |_, class| format!("{}.0", 2 * class + 1));
}

pub fn hidden_validation(folder: &Path, rows: &[Example]) {
    labelled(folder, rows, |_, class| class.to_string());
    let row = |text: &str, _: usize| format!("\"{text}\",-1\n");
    write(
        folder,
        "validation.csv",
        format!("text,label\n{}", lines(rows, row)),
    );
}

/// `label` is a number for each row; `class` is a class.
fn numbers_beside_classes(folder: &Path, rows: &[Example]) {
    let line = |(row, (text, class)): (usize, &Example)| {
        format!("\"{text}\",{},{}\n", 3 * row, CLASSES[*class])
    };
    let lines: String = rows.iter().enumerate().map(line).collect();
    write(folder, "train.csv", format!("text,label,class\n{lines}"));
}

pub fn too_many_labels(folder: &Path, _: &[Example]) {
    numbers_beside_classes(folder, &samples::examples(10_100));
}

pub fn many_integers(folder: &Path, _: &[Example]) {
    numbers_beside_classes(folder, &samples::examples(150));
}

pub fn different_beside_classes(folder: &Path, rows: &[Example]) {
    let line = |(row, (text, class)): (usize, &Example)| {
        format!("\"{text}\",label {row},{}\n", CLASSES[*class])
    };
    let lines: String = rows.iter().enumerate().map(line).collect();
    write(folder, "train.csv", format!("text,label,class\n{lines}"));
}

/// Numbers in one file, which stand for names in the other perhaps.
pub fn numbers_and_names(folder: &Path, rows: &[Example]) {
    labelled(folder, rows, |_, class| class.to_string());
    let spaced = samples::csv(rows).replace(",negative\n", ",not good\n");
    write(folder, "validation.csv", spaced);
}

pub fn class_label_other(folder: &Path, rows: &[Example]) {
    named(folder, "train.parquet", rows, [0, 1], &["bad", "good"]);
}

pub fn three_classes(folder: &Path, rows: &[Example]) {
    labelled(folder, rows, |row, _| {
        ["negative", "neutral", "positive"][row % 3].into()
    });
}

pub fn few_rows(folder: &Path, rows: &[Example]) {
    write(folder, "train.csv", samples::csv(&rows[..2]));
}

/// With 100 rows for the test.
pub fn with_test(folder: &Path, rows: &[Example]) {
    mnli(folder, rows);
    let test = samples::examples(120);
    let row = |text: &str, class: usize| format!("\"{text}\",\"{text}\",{class}\n");
    let text = format!("premise,hypothesis,label\n{}", lines(&test, row));
    write(folder, "test.csv", text);
}

/// Numbers as half of Europe writes them.
pub fn decimal_commas(folder: &Path, rows: &[Example]) {
    labelled(folder, rows, |row, _| format!("\"{},5\"", row % 5));
}

/// A split that is neither for validation nor for the test.
pub fn another_split(folder: &Path, rows: &[Example]) {
    write(folder, "train.csv", samples::csv(rows));
    write(folder, "extra.csv", samples::csv(&rows[..40]));
}

/// No column is called like a label.
pub fn no_label(folder: &Path, rows: &[Example]) {
    let row = |text: &str, class: usize| format!("{}\t{}\n", text, CLASSES[class]);
    write(
        folder,
        "train.tsv",
        format!("text\tmood\n{}", lines(rows, row)),
    );
}
