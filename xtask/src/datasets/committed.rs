//! Checks the CSV files of a data set that is committed to the repository.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::split::{Example, Splits};
use super::text::normalized;

/// Reads `train.csv`, `validation.csv` and `test.csv` with the columns `text` and `label`.
///
/// # Errors
/// Fails if a file is missing or malformed, a label is not one of the classes, a text is empty, or
/// a text occurs twice (in any split, ignoring case and punctuation). The message names file and
/// line.
pub fn read(folder: &Path, classes: &[String]) -> Result<Splits<Vec<Example>>> {
    let mut known: HashMap<String, String> = HashMap::new();
    Splits::<()>::default().try_map(|split, ()| {
        let path = folder.join(format!("{split}.csv"));
        let mut reader = csv::Reader::from_path(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let header = reader.headers()?;
        ensure!(
            header.iter().eq(["text", "label"]),
            "{} must have the columns text,label, found {}",
            path.display(),
            header.iter().collect::<Vec<_>>().join(",")
        );
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.with_context(|| format!("in {}", path.display()))?;
            let line = record.position().map_or(0, csv::Position::line);
            let here = format!("{split}.csv, line {line}");
            let (text, label) = (&record[0], &record[1]);
            let Some(index) = classes.iter().position(|class| class == label) else {
                bail!("{here}: the label `{label}` is not one of {classes:?}");
            };
            let key = normalized(text);
            ensure!(!key.is_empty(), "{here}: the text is empty");
            if let Some(first) = known.insert(key, here.clone()) {
                bail!("{here}: the same text is in {first}");
            }
            rows.push(Example {
                text: text.to_owned(),
                label: index as i64,
                rating: None,
            });
        }
        Ok(rows)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_with(test: &str) -> Result<Splits<Vec<Example>>> {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("train.csv", "text,label\n\"Yes, please\",for\nNo,against\n");
        write("validation.csv", "text,label\nMaybe,for\n");
        write("test.csv", test);
        read(folder.path(), &["against".to_owned(), "for".to_owned()])
    }

    #[test]
    fn rows_are_read_with_the_index_of_their_class() {
        let splits = read_with("text,label\nNever,against\n").unwrap();
        assert_eq!(splits.train[0].text, "Yes, please");
        let labels = splits.iter().map(|(_, rows)| rows[0].label);
        assert_eq!(labels.collect::<Vec<_>>(), [1, 1, 0]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (test, expected) in [
            (
                "text,stance\nA,for\n",
                "must have the columns text,label, found text,stance",
            ),
            (
                "text,label\nA,forr\n",
                "test.csv, line 2: the label `forr` is not one of",
            ),
            (
                "text,label\n...,for\n",
                "test.csv, line 2: the text is empty",
            ),
            (
                "text,label\nyes please!,for\n",
                "test.csv, line 2: the same text is in train.csv, line 2",
            ),
            ("text,label\nA\n", "found record with 1 fields"),
        ] {
            let message = format!("{:#}", read_with(test).unwrap_err());
            assert!(message.contains(expected), "{test:?}: {message}");
        }
    }
}
