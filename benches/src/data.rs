//! Texts for training and prediction: short ones, long ones composed of them, and large numbers of them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use arrow_array::{Array, cast::AsArray, types::Int64Type};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use xtask::datasets::split::Example;
use xtask::datasets::text::sha256_hex;
use xtask::datasets::write::{Format, encode, write_atomically};
use xtask::datasets::{Catalog, DEFAULT};
use xtask::workspace;

/// Number of rows in every validation split; nothing is evaluated, but both sides read it.
const VALIDATION_ROWS: usize = 200;

/// The rows of a data set, ordered by the hash of their texts.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// The origin of the data set, for readers.
    pub name: String,
    train: Vec<Example>,
    validation: Vec<Example>,
}

impl Corpus {
    /// Reads the data set in `folder`, or the project's own, which is built if necessary.
    ///
    /// # Errors
    /// Fails if a file is missing or lacks the columns `text` and `label` (with integers).
    pub fn read(folder: Option<&Path>) -> Result<Self> {
        let (name, folder) = match folder {
            Some(folder) => {
                let name = folder.file_name().unwrap_or(folder.as_os_str());
                (name.to_string_lossy().into_owned(), folder.to_owned())
            }
            None => {
                let built = Catalog::new(workspace::datasets()).build(DEFAULT, false)?;
                (DEFAULT.to_owned(), built.folder)
            }
        };
        let split = |split: &str| {
            let path = folder.join(format!("{split}.parquet"));
            read_split(&path).with_context(|| format!("cannot use {}", path.display()))
        };
        Ok(Self {
            name,
            train: split("train")?,
            validation: split("validation")?,
        })
    }

    /// Writes a directory in `parent` with `rows` training rows, repeated as often as necessary. Each
    /// row joins as many texts as are needed for `words` words (0 means a single text).
    ///
    /// # Errors
    /// Fails if the directory cannot be written.
    pub fn write(&self, parent: &Path, rows: usize, words: usize) -> Result<PathBuf> {
        let folder = parent.join(format!("{}-{rows}-rows-{words}-words", self.name));
        let train = self.make(rows, words);
        let validation = &self.validation[..self.validation.len().min(VALIDATION_ROWS)];
        for (split, rows) in [("train", &train[..]), ("validation", validation)] {
            let path = folder.join(format!("{split}.parquet"));
            let bytes = encode(rows, &self.classes(), Format::Parquet)?;
            // An unchanged file is not written again and keeps its date.
            if fs::read(&path).ok().as_ref() != Some(&bytes) {
                write_atomically(&path, &bytes)?;
            }
        }
        Ok(folder)
    }

    fn make(&self, rows: usize, words: usize) -> Vec<Example> {
        let mut source = self.train.iter().cycle();
        let mut row = || {
            let mut row = source.next()?.clone();
            while row.text.split_whitespace().count() < words {
                row.text.push(' ');
                row.text.push_str(&source.next()?.text);
            }
            Some(row)
        };
        (0..rows).map_while(|_| row()).collect()
    }

    /// Returns as many names as there are labels.
    fn classes(&self) -> Vec<String> {
        let rows = self.train.iter().chain(&self.validation);
        let largest = rows.map(|row| row.label).max().unwrap_or(0);
        (0..=largest)
            .map(|label| format!("class_{label}"))
            .collect()
    }
}

fn read_split(path: &Path) -> Result<Vec<Example>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.build()?;
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch?;
        let column = |name| {
            batch
                .column_by_name(name)
                .with_context(|| format!("no column `{name}`"))
        };
        let (texts, labels) = (column("text")?, column("label")?);
        let texts: Vec<Option<&str>> = match texts.data_type() {
            DataType::Utf8 => texts.as_string::<i32>().iter().collect(),
            DataType::LargeUtf8 => texts.as_string::<i64>().iter().collect(),
            other => bail!("expected strings in `text`, found {other}"),
        };
        let labels = labels
            .as_primitive_opt::<Int64Type>()
            .with_context(|| format!("expected int64 in `label`, found {}", labels.data_type()))?;
        let labels = labels.iter();
        rows.extend(texts.into_iter().zip(labels).filter_map(|(text, label)| {
            Some(Example {
                text: text?.to_owned(),
                label: label.filter(|&label| label >= 0)?,
                rating: None,
            })
        }));
    }
    ensure!(!rows.is_empty(), "it has no rows");
    // Files are often sorted by label.
    rows.sort_by_cached_key(|row| sha256_hex(row.text.as_bytes()));
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus(folder: &Path) -> Corpus {
        let rows: Vec<Example> = (0..30)
            .map(|number| Example {
                text: format!("This is text number {number}"),
                label: number % 3,
                rating: None,
            })
            .collect();
        let classes = ["a", "b", "c"].map(str::to_owned);
        for (split, rows) in [("train", &rows[..20]), ("validation", &rows[20..])] {
            let bytes = encode(rows, &classes, Format::Parquet).unwrap();
            write_atomically(&folder.join(format!("{split}.parquet")), &bytes).unwrap();
        }
        Corpus::read(Some(folder)).unwrap()
    }

    #[test]
    fn rows_are_repeated_and_joined_alike_every_time() {
        let folder = tempfile::tempdir().unwrap();
        let corpus = corpus(folder.path());
        let short = corpus.make(50, 0);
        assert_eq!(short.len(), 50);
        assert_eq!(short[0], short[20]);
        let long = corpus.make(7, 12);
        assert_eq!(long.len(), 7);
        assert!(
            long.iter()
                .all(|row| row.text.split_whitespace().count() == 15)
        );
        assert!(long[0].text.starts_with(&short[0].text));
        assert!(long[0].text.ends_with(&short[2].text));

        let first = corpus.write(folder.path(), 7, 12).unwrap();
        let again = Corpus::read(Some(&first)).unwrap();
        assert_eq!((again.train.len(), again.validation.len()), (7, 10));
        assert_eq!(again.classes(), ["class_0", "class_1", "class_2"]);
    }

    #[test]
    fn the_order_is_that_of_the_hashes() {
        let folder = tempfile::tempdir().unwrap();
        let rows = corpus(folder.path()).train;
        assert!(rows.is_sorted_by_key(|row| sha256_hex(row.text.as_bytes())));
        assert!(rows[..10].iter().any(|row| row.label != rows[0].label));
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = format!("{:#}", Corpus::read(Some(folder.path())).unwrap_err());
        assert!(error.contains("train.parquet"), "{error}");
    }
}
