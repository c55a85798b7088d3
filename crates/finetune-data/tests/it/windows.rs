//! Texts of any length as windows, and text files whose rows are documents.

use std::ops::ControlFlow;
use std::path::Path;

use finetune_data::{
    CacheSource, Columns, Dataset, ReadOptions, Split, TextRows, TokenizeOptions, TokenizedDataset,
};

use crate::common::{assert_has, build, folder, message, path, texts, tokenizer};

fn windows(split: &Split, max_length: usize, cache_dir: Option<&Path>) -> TokenizedDataset {
    let columns = Columns::resolve(split, &[], &[], false).unwrap();
    let options = TokenizeOptions {
        max_length,
        cache_dir,
    };
    let keep_going = |_, _| ControlFlow::Continue(());
    TokenizedDataset::build_windows(split, &columns, &tokenizer(), &options, keep_going).unwrap()
}

/// The tokens of each row without its two special tokens.
fn inner(data: &TokenizedDataset) -> Vec<Vec<u32>> {
    let rows: Vec<_> = (0..data.len()).collect();
    let batch = data.batch(&rows).unwrap();
    let ranges = batch.tokens.offsets.ranges();
    ranges
        .map(|range| batch.tokens.ids[range.start + 1..range.end - 1].to_vec())
        .collect()
}

#[test]
fn a_text_is_cut_into_windows_and_nothing_is_lost() {
    let long = "not bad hello world ".repeat(40);
    let folder = folder(&[("x.csv", &format!("text\nhello all\n{long}\n\"\"\nworld\n"))]);
    let split = Dataset::open(path(&folder, "x.csv"))
        .unwrap()
        .split("train")
        .unwrap();
    // Every row whole, and the same texts in windows of ten tokens.
    let whole = build(&split, None, 500, None).unwrap();
    let cut = windows(&split, 10, None);
    let (whole_rows, pieces) = (inner(&whole), inner(&cut));
    assert_eq!(pieces.concat(), whole_rows.concat());
    assert!(pieces.iter().all(|window| (1..=8).contains(&window.len())));
    // The windows of a text are full but for the last, and an empty text has none.
    let of_long: Vec<_> = (0..cut.len())
        .filter(|&row| cut.source(row).unwrap().row == 1)
        .map(|row| pieces[row as usize].len())
        .collect();
    assert_eq!(of_long.iter().sum::<usize>(), whole_rows[1].len());
    assert!(
        of_long[..of_long.len() - 1]
            .iter()
            .all(|&length| length == 8)
    );
    assert!((0..cut.len()).all(|row| cut.source(row).unwrap().row != 2));
    assert!(cut.is_windows() && !whole.is_windows());
    // Each begins and ends like a text, and its positions count from 0.
    let batch = cut.batch(&[1, 2]).unwrap();
    let first = whole.batch(&[0]).unwrap();
    for range in batch.tokens.offsets.ranges() {
        assert_eq!(batch.tokens.ids[range.start], first.tokens.ids[0]);
        assert_eq!(batch.tokens.positions[range.start], 0);
        assert_eq!(
            batch.tokens.positions[range.end - 1],
            range.len() as u32 - 1
        );
    }
    assert_eq!(cut.places(&[0]).unwrap()[0].row, 0);
    let error = message(cut.texts(&[0]));
    assert_has(&error, &["windows"]);
}

#[test]
fn windows_are_cached_apart_from_rows() {
    let folder = folder(&[("x.csv", "text\nhello all\nnot bad world\n")]);
    let split = Dataset::open(path(&folder, "x.csv"))
        .unwrap()
        .split("train")
        .unwrap();
    let cache = folder.path().join("cache");
    let rows = build(&split, None, 6, Some(&cache)).unwrap();
    let first = windows(&split, 6, Some(&cache));
    assert_eq!(first.build_report().source, CacheSource::Tokenized);
    let second = windows(&split, 6, Some(&cache));
    assert_eq!(second.build_report().source, CacheSource::Cached);
    assert_eq!(inner(&first), inner(&second));
    // The same tokens, but other rows in general.
    assert_ne!(first.fingerprint(), rows.fingerprint());
    let other = windows(&split, 4, Some(&cache));
    assert_eq!(other.build_report().source, CacheSource::Tokenized);
    assert_eq!(other.len(), 3);
}

#[test]
fn each_text_of_a_pair_has_its_own_windows() {
    let folder = folder(&[("x.csv", "sentence1,sentence2\nhello,not bad\n")]);
    let split = Dataset::open(path(&folder, "x.csv"))
        .unwrap()
        .split("train")
        .unwrap();
    let data = windows(&split, 8, None);
    assert_eq!(data.len(), 2);
    assert_eq!(
        data.batch(&[0, 1]).unwrap().tokens.type_ids.iter().max(),
        Some(&0)
    );
}

fn read(file: &str, text_rows: TextRows) -> (tempfile::TempDir, Dataset) {
    let folder = folder(&[("x.txt", file)]);
    let options = ReadOptions {
        text_rows,
        ..ReadOptions::default()
    };
    let dataset = Dataset::open_with(path(&folder, "x.txt"), &options).unwrap();
    (folder, dataset)
}

const DOCUMENTS: &str = "\n  \none\ntwo\n\n \nthree\r\n\nfour\nfive\n";

#[test]
fn blank_lines_separate_documents() {
    let (_folder, dataset) = read(DOCUMENTS, TextRows::Documents);
    let split = dataset.split("train").unwrap();
    assert_eq!(texts(&split), ["one\ntwo", "three", "four\nfive"]);
    let columns = Columns::resolve(&split, &[], &[], false).unwrap();
    let rows = split.texts_of_rows(&columns, &[2, 0]).unwrap();
    let lines = rows.iter().map(|row| (row.first.as_str(), row.place.line));
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [("four\nfive", Some(9)), ("one\ntwo", Some(3))]
    );
    let second = dataset.split("train[1:2]").unwrap();
    assert_eq!(texts(&second), ["three"]);
}

#[test]
fn documents_are_detected_by_blank_lines_between_others() {
    let (_folder, dataset) = read(DOCUMENTS, TextRows::Detected);
    assert_eq!(dataset.split("train").unwrap().len(), 3);
    let notes: Vec<_> = dataset.notes().iter().map(ToString::to_string).collect();
    assert_has(&notes.join("\n"), &["x.txt", "line 5", "--line-by-line"]);
    // Blank lines at the ends separate nothing.
    let (_folder, dataset) = read("\none\ntwo\n\n", TextRows::Detected);
    assert_eq!(
        texts(&dataset.split("train").unwrap()),
        ["", "one", "two", ""]
    );
    assert!(dataset.notes().is_empty());
    let (_folder, dataset) = read(DOCUMENTS, TextRows::Lines);
    assert_eq!(dataset.split("train").unwrap().len(), 10);
}

#[test]
fn a_long_document_goes_on_in_the_next_row() {
    let line = format!("{}\n", "hello ".repeat(10_000).trim_end());
    let (_folder, dataset) = read(&line.repeat(30), TextRows::Documents);
    let all = texts(&dataset.split("train").unwrap());
    assert_eq!(all.len(), 2);
    assert_eq!(all.join("\n") + "\n", line.repeat(30));
}
