//! Runs all checks.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::checks::{self, Facts};
use crate::clean::{self, CleanedSplit};
use crate::data::Data;
use crate::duplicates::Duplicates;
use crate::error::{CheckError, Result};
use crate::finding::Finding;
use crate::mislabelled::Suspicion;
use crate::report::{self, Report};
use crate::scan::Scan;
use crate::suggestions;
use crate::tokens::Tokens;

/// Share of the words, in order, from which on texts are near duplicates by default.
pub const SIMILARITY: f64 = 0.8;

/// What to look for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Share of the words in common, in order, from which on texts are near duplicates: 0.5 to 1.
    pub similarity: f64,
    /// Whether to look for labels that are probably wrong.
    pub mislabelled: bool,
    /// A file with a column of probabilities for each class and a row for each row of the splits, from a
    /// model that did not see the row; `None` for a small classifier that is cross-validated here.
    pub probabilities: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            similarity: SIMILARITY,
            mislabelled: true,
            probabilities: None,
        }
    }
}

/// How a caller watches and stops a check.
pub struct Watch<'a> {
    /// Receives the number of rows that were read.
    pub rows: &'a mut dyn FnMut(u64),
    /// Says whether to stop.
    pub stopped: &'a (dyn Fn() -> bool + Sync),
}

/// Data that was checked.
pub struct Checked<'a> {
    data: &'a Data<'a>,
    scan: Scan,
    duplicates: Duplicates,
    suspicion: Option<Suspicion>,
    findings: Vec<Finding>,
    report: Report,
}

impl<'a> Checked<'a> {
    /// Checks the data. The result is the same on any number of threads.
    ///
    /// # Errors
    /// Fails if the rows cannot be read, if a split has none, if an option does not fit, or if the caller
    /// stops it.
    pub fn new(data: &'a Data<'a>, options: &Options, watch: Watch<'_>) -> Result<Self> {
        if !(0.5..=1.0).contains(&options.similarity) {
            return Err(CheckError::Similarity {
                value: options.similarity,
            });
        }
        let Watch { rows, stopped } = watch;
        let scan = Scan::new(data, &mut |done| {
            rows(done);
            match stopped() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        let duplicates = Duplicates::find(data, &scan, options.similarity, &mut || stopped())?;
        let mut not_checked = Vec::new();
        let tokens = match data.tokenizer {
            Some((tokenizer, length)) => Some(Tokens::count(data, &scan, tokenizer, length)?),
            None => None,
        };
        let mut suspicion = None;
        if options.mislabelled || options.probabilities.is_some() {
            let given = options.probabilities.as_deref();
            match Suspicion::new(data, &scan, &duplicates.groups, given, stopped)? {
                Ok(found) => suspicion = Some(found),
                Err(reason) => not_checked.push(reason),
            }
        }
        if stopped() {
            return Err(CheckError::Stopped);
        }
        let facts = Facts {
            data,
            scan: &scan,
            duplicates: &duplicates,
            similarity: options.similarity,
            tokens: tokens.as_ref(),
            suspicion: suspicion.as_ref(),
        };
        let mut findings: Vec<Finding> =
            checks::ALL.iter().flat_map(|check| check(&facts)).collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let suggestions = suggestions::all(&facts);
        let has_leaks = !duplicates.between.is_empty();
        let report = report::make(data, &scan, &findings, suggestions, not_checked, has_leaks)?;
        Ok(Self {
            data,
            scan,
            duplicates,
            suspicion,
            findings,
            report,
        })
    }

    /// Returns what was found.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Writes into `directory`, which exists, a Parquet file for each split without the rows of the findings
    /// that `remove` names, and a log of each removed row. Files that are there are replaced.
    ///
    /// # Errors
    /// Fails if the rows cannot be read again or the files cannot be written.
    pub fn write_clean(&self, directory: &Path, remove: &[&str]) -> Result<Vec<CleanedSplit>> {
        let removed = clean::plan::removed(&self.scan, &self.duplicates, &self.findings, remove);
        clean::write::splits(self.data, &self.scan, &removed, directory)
    }

    /// Writes the probabilities by which labels were judged as a Parquet file, with the split, the row's
    /// index in it, its label, and a column for each class. Returns whether there are any.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn write_probabilities(&self, path: &Path) -> Result<bool> {
        let (Some(suspicion), Some(task)) = (&self.suspicion, self.data.task) else {
            return Ok(false);
        };
        suspicion.write(path, &self.scan, task.class_names())?;
        Ok(true)
    }
}
