//! What a caller says about reading files.

use std::fmt;
use std::sync::Arc;

use crate::{CsvOptions, Error, Result};

/// How the files of a data set are read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// How CSV is written, where that is not to be recognised.
    pub csv: CsvOptions,
    /// Where the names of a CSV file's columns stand.
    pub csv_header: CsvHeader,
    /// Ends long scans of files early.
    pub stop: Stop,
}

/// What the columns of CSV files are called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CsvHeader {
    /// As the first line says.
    #[default]
    FirstLine,
    /// So; the first line is a row, or with `replaces_first_line` is left out.
    Names {
        /// A name for each column.
        names: Vec<String>,
        /// Whether the first line is a header too.
        replaces_first_line: bool,
    },
    /// By their numbers from 0; the first line is a row.
    Numbers,
}

/// Asks, every few milliseconds of a scan, whether somebody wants it to end: it then ends with
/// [`Error::Stopped`]. The default never does.
#[derive(Clone, Default)]
pub struct Stop(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl Stop {
    /// Ends scans once `requested` says so.
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
