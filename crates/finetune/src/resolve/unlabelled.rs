//! `--unlabelled`: further texts to pretrain on.

use finetune_data::{Columns, CsvOptions, ReadOptions, Split, TextRows};

use crate::{
    error::Failure,
    resolve::{
        data::{read_options, say_notes},
        dataset::DatasetName,
    },
    view::{output::say, progress::count},
};

/// Opens all splits of a data set of texts, each with its text columns; a note lists them if there are
/// several. Rows that are among those `evaluated` are read too, without their labels, and noted.
///
/// # Errors
/// Fails if the data set cannot be found or read, or if it is not clear which column has the texts.
pub fn open(
    name: &str,
    text_rows: TextRows,
    evaluated: [Option<&Split>; 2],
) -> Result<Vec<(Split, Columns)>, Failure> {
    let options = ReadOptions {
        text_rows,
        ..read_options(CsvOptions::default())
    };
    let named = DatasetName {
        name,
        ..DatasetName::default()
    };
    let found = named.find(&options)?;
    let names = found.split_names();
    let dataset = found.open(&names, &options)?.dataset;
    let (mut splits, mut common) = (Vec::new(), 0);
    for split in &names {
        let split = dataset.split(split)?;
        let mut columns = Columns::resolve(&split, &[], &[], false)?;
        columns.label.clear();
        for evaluated in evaluated.into_iter().flatten() {
            common += split.rows_in_common(evaluated)?;
        }
        splits.push((split, columns));
    }
    say_notes(&dataset.notes());
    if splits.len() > 1 {
        let read = splits.iter().map(|(split, _)| {
            let rows = count(split.len());
            format!("{} ({rows})", split.name())
        });
        let read: Vec<_> = read.collect();
        say!(
            "note: {name}: the texts of all its splits are read: {}",
            read.join(", ")
        );
    }
    if common > 0 {
        say!(
            "note: {name}: {} of its rows are among those that this run evaluates; their texts are read too, but not their labels",
            count(common)
        );
    }
    Ok(splits)
}
