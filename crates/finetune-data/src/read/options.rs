//! The caller's options for reading files.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{CsvOptions, Error, Result};

/// How the files of a data set are read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// How CSV is written, where that is not to be detected.
    pub csv: CsvOptions,
    /// Where the column names of a CSV file come from.
    pub csv_header: CsvHeader,
    /// What a row of a text file is.
    pub text_rows: TextRows,
    /// Ends long scans of files early.
    pub stop: Stop,
}

/// Where the column names of CSV files come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CsvHeader {
    /// The first line.
    #[default]
    FirstLine,
    /// These names. The first line is a row, or is skipped if `replaces_first_line` is set.
    Names {
        /// One name per column.
        names: Vec<String>,
        /// Whether the first line is a header that these names replace.
        replaces_first_line: bool,
    },
    /// The column numbers, from 0. The first line is a row.
    Numbers,
}

/// What a row of a text file (`.txt`) is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TextRows {
    /// A line, even an empty one.
    #[default]
    Lines,
    /// A document: the lines up to the next blank one. Blank lines belong to no row.
    Documents,
    /// A document if the file has a blank line between others, or else a line. A note says which.
    Detected,
}

/// A check for a stop request, made every few milliseconds during a scan, which then ends with
/// [`Error::Stopped`]. The default never stops.
#[derive(Clone, Default)]
pub struct Stop(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl Stop {
    /// Ends scans as soon as `requested` returns true.
    pub fn when(requested: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(requested)))
    }

    pub(crate) fn requested(&self) -> bool {
        self.0.as_ref().is_some_and(|requested| requested())
    }

    pub(crate) fn check(&self) -> Result<()> {
        match self.requested() {
            true => Err(Error::Stopped),
            false => Ok(()),
        }
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Stop(when …)"
        } else {
            "Stop(never)"
        })
    }
}
