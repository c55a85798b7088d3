//! Small data, whose findings can be counted by hand.

use std::fs;

use finetune_check::{CLEANED_BY_DEFAULT, Options};

use crate::{checked, count, log};

const LONG: &str = "the plot of this film is thin but the actors carry it all the way";

fn files(train: &[(&str, &str)], test: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, rows) in [("train", train), ("test", test)] {
        let rows = rows.iter().map(|(text, label)| {
            serde_json::json!({"text": text, "label": label}).to_string() + "\n"
        });
        fs::write(
            folder.path().join(format!("{name}.jsonl")),
            rows.collect::<String>(),
        )
        .unwrap();
    }
    folder
}

#[test]
fn leaked_rows_leave_the_training_rows_and_the_first_of_duplicates_stays() {
    let near = LONG.replace("thin", "weak");
    let train = [
        ("a good film", "pos"),
        ("A  good film", "pos"),
        (LONG, "neg"),
        ("a good film", "pos"),
        ("seen twice here", "neg"),
        ("seen twice here", "pos"),
        ("  ", "neg"),
        ("leaks as it is", "neg"),
        ("only here, once", "neg"),
    ];
    let test = [
        ("leaks as it is", "neg"),
        (&near, "neg"),
        ("only there, once", "pos"),
    ];
    let folder = files(&train, &test);
    checked(folder.path(), &Options::default(), |checked| {
        let report = checked.report();
        for (name, expected) in [
            ("exact-duplicates", 2),
            ("normalised-duplicates", 1),
            ("near-duplicates", 0),
            ("exact-leaks", 1),
            ("normalised-leaks", 0),
            ("near-leaks", 1),
            ("conflicting-labels", 2),
            ("empty-texts", 1),
        ] {
            assert_eq!(count(report, name), expected, "{name}");
        }
        assert!(report.has_leaks);
        let leak = report
            .findings
            .iter()
            .find(|f| f.name == "near-leaks")
            .unwrap();
        assert_eq!(
            (leak.examples[0].row.row, leak.examples[0].row.line),
            (1, Some(2))
        );
        assert_eq!(leak.examples[0].other.as_ref().unwrap().row, 2);

        let out = tempfile::tempdir().unwrap();
        let written = checked
            .write_clean(out.path(), &CLEANED_BY_DEFAULT)
            .unwrap();
        let kept: Vec<_> = written
            .iter()
            .map(|split| (split.kept, split.removed))
            .collect();
        assert_eq!(kept, [(2, 7), (3, 0)]);
        let removed: Vec<_> = log(out.path())
            .iter()
            .map(|line| {
                let other = &line["other"];
                (
                    line["row"].as_u64().unwrap(),
                    line["finding"].as_str().unwrap().to_owned(),
                    other["split"].as_str().map(str::to_owned),
                    other["row"].as_u64(),
                )
            })
            .collect();
        let line = |row, finding: &str, split: &str, other| {
            (row, finding.to_owned(), Some(split.to_owned()), Some(other))
        };
        assert_eq!(
            removed,
            [
                line(1, "normalised-duplicates", "train", 0),
                line(2, "near-leaks", "test", 1),
                line(3, "exact-duplicates", "train", 0),
                line(4, "conflicting-labels", "train", 5),
                line(5, "conflicting-labels", "train", 4),
                (6, "empty-texts".to_owned(), None, None),
                line(7, "exact-leaks", "test", 0),
            ]
        );
        // What is left has nothing to remove.
        crate::checked(out.path(), &Options::default(), |again| {
            assert!(
                again
                    .report()
                    .findings
                    .iter()
                    .all(|finding| finding.count == 0)
            );
        });
    });
}

#[test]
fn only_what_is_chosen_is_removed() {
    let folder = files(
        &[
            ("a good film", "pos"),
            ("a good film", "pos"),
            ("caf\u{fffd}", "neg"),
        ],
        &[("a good film", "pos")],
    );
    checked(folder.path(), &Options::default(), |checked| {
        for (remove, kept) in [
            (&["exact-duplicates"][..], 2),
            (&["exact-leaks"], 1),
            (&["replacement-characters"], 2),
            (&["near-leaks"], 3),
        ] {
            let out = tempfile::tempdir().unwrap();
            let written = checked.write_clean(out.path(), remove).unwrap();
            assert_eq!(written[0].kept, kept, "{remove:?}");
            assert_eq!(written[1].removed, 0, "{remove:?}");
        }
    });
}

#[test]
fn names_drift_and_columns_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |shares: [usize; 2]| {
        let row = |label: &str, number: usize| {
            format!(
                "\"text {label} number {number}\",{label},{},{}\n",
                label.len(),
                number % 7
            )
        };
        let mut text = String::from("text,label,secret,other\n");
        for (label, count) in ["yes", "nope"].iter().zip(shares) {
            (0..count).for_each(|number| text += &row(label, number));
        }
        text
    };
    fs::write(
        folder.path().join("train.csv"),
        rows([100, 100]) + "odd,Yes,3,1\n",
    )
    .unwrap();
    fs::write(folder.path().join("test.csv"), rows([90, 30])).unwrap();
    checked(folder.path(), &Options::default(), |checked| {
        let finding = |name: &str| {
            let mut found = checked.report().findings.iter();
            found
                .find(|finding| finding.name == name)
                .unwrap()
                .details
                .join("\n")
        };
        assert!(finding("label-names").contains("\"Yes\" (1 rows) and \"yes\" (190 rows)"));
        assert!(finding("label-drift").contains("test against train"));
        let leaking = finding("leaking-columns");
        assert!(leaking.contains("`secret` has 2 values"), "{leaking}");
        assert!(!leaking.contains("other"), "{leaking}");
    });
}

#[test]
fn a_column_of_identifiers_is_no_text() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..40)
        .map(|row| format!("tt{row:07},{}\n", row % 2))
        .collect();
    fs::write(
        folder.path().join("train.csv"),
        format!("text,label\n{rows}"),
    )
    .unwrap();
    checked(folder.path(), &Options::default(), |checked| {
        assert_eq!(count(checked.report(), "identifiers-as-text"), 40);
    });
}
