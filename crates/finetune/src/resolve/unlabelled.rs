//! `--unlabelled`: further texts to pretrain on, or to ask a teacher about.

use finetune_data::{Columns, CsvOptions, ReadOptions, Split, TextRows, is_text_file};

use crate::{
    error::Failure,
    resolve::{
        data::{read_options, say_notes},
        dataset::DatasetName,
        label_reading,
    },
    view::{output::say, progress::count},
};

/// How the texts of a run are read, which holds for further ones too.
pub struct Reading<'a> {
    pub csv: &'a CsvOptions,
    /// What a row of a text file is.
    pub text_rows: TextRows,
    /// The text columns, which further texts need not have.
    pub text: &'a [String],
    /// Whether rows without a text are left out.
    pub skip_invalid: bool,
}

/// Opens all splits of a data set of texts, each with its text columns; a note lists them if there are
/// several. Rows that are among those `evaluated` are read too, without their labels, and noted.
///
/// # Errors
/// Fails if the data set cannot be found or read, or if it is not clear which column has the texts.
pub fn open(
    name: &str,
    reading: &Reading<'_>,
    evaluated: [Option<&Split>; 2],
) -> Result<Vec<(Split, Columns)>, Failure> {
    let options = ReadOptions {
        text_rows: reading.text_rows,
        ..read_options(reading.csv.clone())
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
        let columns = columns(name, &split, reading.text)?;
        let split = label_reading::valid(split, &columns, reading.skip_invalid)?;
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

/// Finds the text columns of a split: those of the run, or by convention if it has others, which is noted.
fn columns(name: &str, split: &Split, text: &[String]) -> Result<Columns, Failure> {
    let schema = split.schema();
    let missing = text
        .iter()
        .find(|column| schema.field_with_name(column).is_err());
    let wanted = match missing {
        None => text,
        Some(_) => &[],
    };
    // The flag for the column names that of the labelled rows, so that it is no advice here.
    let mut columns = Columns::resolve(split, wanted, &[], false).map_err(|error| match missing {
        Some(missing) => Failure::User(format!(
            "{name}: it is not clear which column of {} has the texts, out of {}; call it `{missing}`, as in the labelled rows",
            split.name(),
            names(split)
        )),
        None => Failure::from(error),
    })?;
    columns.label.clear();
    // The lines of a text file have no columns.
    let is_text = split.files().iter().all(|file| is_text_file(file));
    if let Some(missing) = missing.filter(|_| !is_text) {
        say!(
            "note: {name}: {} has no column `{missing}`, which the labelled rows have; its texts are those of `{}`",
            split.name(),
            columns.text.join("`, `")
        );
    }
    Ok(columns)
}

/// Lists the columns of a split.
fn names(split: &Split) -> String {
    let fields = split.schema().fields().iter();
    let names: Vec<_> = fields.map(|field| format!("`{}`", field.name())).collect();
    names.join(", ")
}
